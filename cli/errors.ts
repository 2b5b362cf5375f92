/** Errors that carry one sentence for the user. */
import { findErrorCode } from '../lib/model/error-code.ts';

/** The command line is wrong, or a file cannot be read. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** The API or AWS refused, or cannot be reached. */
export class RequestError extends Error {
  override readonly name = 'RequestError';
}

export const isAbort = (error: unknown): boolean => error instanceof Error && error.name === 'AbortError';

/** Why an exchange failed: the code of the error, or its message where it has none. */
export const describeCause = (error: unknown): string => {
  const code = findErrorCode(error);
  const inner = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  return code === 'Error' && inner instanceof Error ? inner.message : code;
};

const NO_CREDENTIALS =
  'No AWS credentials were found. Sign in (for example with aws sso login) and choose --profile NAME, or give --api http://127.0.0.1:PORT for an API on this machine.';
const NO_REGION =
  'No AWS region is chosen. Give --region NAME or set AWS_REGION, or give --api URL for an API on this machine.';

/** What went wrong with a call to AWS, in one sentence. */
export const createAwsError = (what: string, error: unknown): RequestError => {
  if (!(error instanceof Error)) return new RequestError(`${what} failed.`);
  if (error.name === 'CredentialsProviderError') return new RequestError(NO_CREDENTIALS);
  if (error.message === 'Region is missing') return new RequestError(NO_REGION);
  const message = error.message.replace(/\s+/g, ' ').trim();
  const isUnknown = message === '' || message === 'UnknownError';
  return new RequestError(
    `${what} failed: ${isUnknown ? describeCause(error) : `${error.name}: ${message}`}`,
  );
};

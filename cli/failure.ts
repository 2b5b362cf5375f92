/** How a command ends: its exit codes, and errors that carry one sentence for the user. */
import { findErrorCode } from '../lib/model/error-code.ts';

export const exitCodes = {
  done: 0,
  /** The command line is wrong, or a file cannot be read. */
  usage: 1,
  /** The API or AWS said no, or cannot be reached. */
  refused: 2,
  /** The batch has ended, and something in it needs hands. */
  hands: 3,
  interrupted: 4,
  /** Bots of the batch are still on their way, or wait for a later time; a sign-in waits for its code. */
  open: 5,
  /** The batch would cost money, and nobody has accepted that yet. */
  planned: 6,
} as const;

/** As --help and docs/cli.md tell them. */
export const exitCodeLines = [
  '0  done; of a batch: every bot is registered or external',
  '1  the command line is wrong, or a file cannot be read; nothing was sent',
  '2  the API or AWS refused or could not be reached; doctor: a check failed',
  '3  the batch has ended, and bots are blocked or failed, or possibly created, or rows or the list were refused',
  '4  interrupted',
  '5  not ended: bots are still on their way, or wait for a later time; sign-in: the code is still to come',
  '6  planned: the batch would create users that cost money; nothing is created before enlist confirm',
] as const;

/** A wrong call. Its sentence is all the user needs. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** The API or AWS said no, or cannot be reached. */
export class Refusal extends Error {
  override readonly name = 'Refusal';
}

export const isAbort = (error: unknown): boolean => error instanceof Error && error.name === 'AbortError';

const oneLine = (text: string) => text.replace(/\s+/g, ' ').trim();

/** What went wrong with a call to AWS, in one sentence. */
export const awsRefusal = (what: string, error: unknown): Refusal => {
  if (!(error instanceof Error)) return new Refusal(`${what} failed.`);
  if (error.name === 'CredentialsProviderError') {
    return new Refusal(
      'No AWS credentials were found. Sign in (such as with aws sso login) and choose --profile NAME, or give --api http://127.0.0.1:PORT for an API on this machine.',
    );
  }
  if (error.message === 'Region is missing') {
    return new Refusal(
      'No AWS region is chosen. Give --region NAME or set AWS_REGION, or give --api URL for an API on this machine.',
    );
  }
  const said = oneLine(error.message);
  const text = said === '' || said === 'UnknownError' ? findErrorCode(error) : `${error.name}: ${said}`;
  return new Refusal(`${what} failed: ${text}`);
};

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

/** The error and those behind it, the outermost first. */
const listCauses = (error: unknown, depth = 5): Error[] => {
  if (!(error instanceof Error) || depth === 0) return [];
  const inner = error instanceof AggregateError ? error.errors : [error.cause];
  return [error, ...inner.flatMap((cause) => listCauses(cause, depth - 1))];
};

const isCode = (value: unknown): value is string => typeof value === 'string' && /^\w{1,60}$/.test(value);

/** The code of the error, or of one behind it; else the name of the error. */
export const findCauseCode = (error: unknown): string => {
  const codes = listCauses(error).map((it) => (it as { readonly code?: unknown }).code);
  return codes.find(isCode) ?? findErrorCode(error);
};

/** Why an exchange failed: a code, or else the innermost message. */
const describeCause = (error: unknown): string => {
  const code = findCauseCode(error);
  return ['Error', 'TypeError'].includes(code) ? (listCauses(error).at(-1)?.message ?? code) : code;
};

const NO_ANSWER = 'it does not answer in time';
const BROKEN = 'the connection broke';
const NO_ROUTE = 'there is no way to its network';
const NO_TLS = 'what answers there does not speak TLS';

/** What a code of Node or of its fetch means for a connection. */
const connectionTexts: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nothing answers at this address',
  ENOTFOUND: 'the name of its host is not known',
  EAI_AGAIN: 'the name of its host cannot be looked up at the moment',
  ETIMEDOUT: NO_ANSWER,
  TimeoutError: NO_ANSWER,
  UND_ERR_CONNECT_TIMEOUT: NO_ANSWER,
  UND_ERR_HEADERS_TIMEOUT: NO_ANSWER,
  UND_ERR_BODY_TIMEOUT: NO_ANSWER,
  ECONNRESET: BROKEN,
  EPIPE: BROKEN,
  UND_ERR_SOCKET: BROKEN,
  CERT_HAS_EXPIRED: 'its certificate has expired, or the clock of this machine is wrong',
  CERT_NOT_YET_VALID: 'its certificate is not valid yet, or the clock of this machine is wrong',
  'bad port': 'this port belongs to another protocol',
  EHOSTUNREACH: NO_ROUTE,
  ENETUNREACH: NO_ROUTE,
  EPROTO: NO_TLS,
  ERR_SSL_WRONG_VERSION_NUMBER: NO_TLS,
  ERR_SSL_PACKET_LENGTH_TOO_LONG: NO_TLS,
};
const certificateCode = /CERT|^UNABLE_TO_|SIGNATURE_FAILURE/;

/** Why there is no answer, in words and with the code. */
export const describeConnection = (error: unknown): string => {
  const cause = describeCause(error);
  const text =
    connectionTexts[cause] ?? (certificateCode.test(cause) ? 'its certificate is not accepted' : undefined);
  return text === undefined ? cause : `${text} (${cause})`;
};

const NO_CREDENTIALS =
  'No AWS credentials were found. Sign in (for example with aws sso login) and choose --profile NAME. For Enlist on this machine, start it with npm start or give its folder as --data DIR.';
const NO_REGION =
  'No AWS region is chosen. Give --region NAME or set AWS_REGION. For Enlist on this machine, start it with npm start or give its folder as --data DIR.';

/** A full stop, where the text has none. */
const endSentence = (text: string) => (/[.!?]$/.test(text) ? '' : '.');

/** What to do about AWS's own refusals, by the words in the error's name or text. */
const awsFixes: readonly (readonly [RegExp, string])[] = [
  [
    /ExpiredToken|token .*expired|TokenRefreshRequired/i,
    'Your AWS credentials have expired: sign in again (for example with aws sso login).',
  ],
  [
    /Signature (not yet current|expired)|RequestExpired|RequestTimeTooSkewed/i,
    "Set this machine's clock: AWS refuses requests whose time is more than five minutes off.",
  ],
  [
    /SignatureDoesNotMatch|signature we calculated|InvalidSignature|UnrecognizedClient|InvalidClientTokenId|InvalidAccessKeyId|security token .*invalid/i,
    'Check your AWS credentials: the access key and its secret do not belong together, or are no longer valid.',
  ],
  [
    /AccessDenied|not authorized|UnauthorizedOperation|Forbidden|Missing Authentication Token/i,
    "Use credentials that may do this: the stack's output OperatorPolicy names the policy that allows everything enlist does. --profile chooses other credentials.",
  ],
];

/** What to do, where AWS itself refused; undefined for any other text. */
export const findAwsFix = (text: string): string | undefined =>
  awsFixes.find(([words]) => words.test(text))?.[1];

/** What went wrong with a call to AWS, in one sentence, and what to do where it refused. */
export const createAwsError = (what: string, error: unknown): RequestError => {
  if (!(error instanceof Error)) return new RequestError(`${what} failed.`);
  if (error.name === 'CredentialsProviderError') return new RequestError(NO_CREDENTIALS);
  if (error.message === 'Region is missing') return new RequestError(NO_REGION);
  const message = error.message.replace(/\s+/g, ' ').trim();
  const isUnknown = message === '' || message === 'UnknownError';
  const text = isUnknown ? describeCause(error) : `${error.name}: ${message}`;
  const fix = findAwsFix(text);
  return new RequestError(`${what} failed: ${text}${fix === undefined ? '' : `${endSentence(text)} ${fix}`}`);
};

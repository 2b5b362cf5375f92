/** How the SDK says that AWS is unavailable, and what is sent again after a pause. */
import { setTimeout as sleep } from 'node:timers/promises';

/**
 * AWS asks for fewer calls. LimitExceededException is not one of these names, though the SDK retries it: Secrets
 * Manager uses it to say that there are too many secrets, and waiting does not fix that.
 */
const throttled: ReadonlySet<string> = new Set([
  'Throttling',
  'ThrottlingException',
  'ThrottledException',
  'TooManyRequestsException',
  'ProvisionedThroughputExceededException',
  'RequestLimitExceeded',
  'RequestThrottled',
  'RequestThrottledException',
  'KmsThrottled',
  'SlowDown',
  'ServiceUnavailable',
]);

/** A grant or a KMS key is missing, and may be given back. S3 writes KMS errors with `KMS.` in front. */
const denied: ReadonlySet<string> = new Set([
  'AccessDenied',
  'AccessDeniedException',
  'ExpiredToken',
  'ExpiredTokenException',
  'InvalidClientTokenId',
  'UnrecognizedClientException',
  'KMSAccessDeniedException',
  'KMSDisabledException',
  'KMSInvalidStateException',
  'DisabledException',
  'DecryptionFailure',
  'EncryptionFailure',
  'KmsAccessDenied',
  'KmsDisabled',
  'KmsInvalidState',
]);

/** No connection, or one that broke. */
const brokenConnection: ReadonlySet<string> = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'ECONNABORTED',
  'EPIPE',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'EHOSTDOWN',
  'ENETUNREACH',
  'ENETDOWN',
  'EADDRNOTAVAIL',
  'ENOTFOUND',
  'EAI_AGAIN',
]);

/** AWS answered 200 and left a part undone each time, or broke off in the middle of an answer. */
export class UnavailableError extends Error {
  override readonly name = 'UnavailableError';
}

interface SdkError extends Error {
  readonly code?: unknown;
  readonly $fault?: unknown;
  /** Every error that the SDK throws for a call has it, also where no answer came. */
  readonly $metadata?: { readonly httpStatusCode?: number };
}

const nameOf = ({ name }: Error) => name.replace(/^KMS\./, '');

/** AWS refuses access that it may allow again: somebody must give back a grant or a key. */
export const isDenied = (error: unknown): boolean =>
  error instanceof Error && (error as SdkError).$metadata !== undefined && denied.has(nameOf(error));

/**
 * Nothing is wrong with the call: the same one can succeed later, when AWS answers, or allows it, again. Only errors of
 * the SDK: a fault of Enlist's own is never the fault of AWS.
 */
export const isUnavailable = (error: unknown): boolean => {
  if (error instanceof UnavailableError) return true;
  if (!(error instanceof Error)) return false;
  const { $metadata, $fault, code } = error as SdkError;
  if ($metadata === undefined) return false;
  const status = $metadata.httpStatusCode;
  if (status !== undefined && (status === 429 || status >= 500)) return true;
  if (throttled.has(error.name) || isDenied(error) || $fault === 'server') return true;
  return error.name === 'TimeoutError' || (typeof code === 'string' && brokenConnection.has(code));
};

const PAUSE_MS = 100;
/** 100, 200, 400 … milliseconds: three seconds in all. */
const PAUSES = 5;

/**
 * Sends the items in parts of at most `size`. What AWS leaves undone of a part is sent again after a pause; after the
 * last pause it is an UnavailableError.
 * @param send returns the items that were left undone
 */
export const sendInParts = async <T>(
  items: readonly T[],
  size: number,
  send: (part: readonly T[]) => Promise<readonly T[]>,
): Promise<void> => {
  for (let start = 0; start < items.length; start += size) {
    const part = items.slice(start, start + size);
    let undone = await send(part);
    for (let pauses = 0; undone.length > 0; pauses += 1) {
      if (pauses === PAUSES)
        throw new UnavailableError(`AWS left ${undone.length} of ${part.length} items undone`);
      await sleep(PAUSE_MS * 2 ** pauses);
      undone = await send(undone);
    }
  }
};

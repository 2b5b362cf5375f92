/** What AWS leaves undone in an answer is sent again; which errors say that AWS is unavailable. */
import { expect, test } from 'vitest';
import { isDenied, isUnavailable, sendInParts } from '../../lib/aws/unavailable.ts';

/** Sends 1 … 5 in parts of two; what `leave` says is left undone. Returns the parts as they were sent. */
const record = async (leave: (part: readonly number[], call: number) => readonly number[]) => {
  const parts: (readonly number[])[] = [];
  await sendInParts([1, 2, 3, 4, 5], 2, async (part) => {
    parts.push(part);
    return leave(part, parts.length);
  });
  return parts;
};

test('items are sent in parts, in their order', async () => {
  expect(await record(() => [])).toEqual([[1, 2], [3, 4], [5]]);
});

test('what is left undone of a part is sent again by itself, before the next part', async () => {
  expect(await record((part, call) => (call === 2 ? part.slice(1) : []))).toEqual([[1, 2], [3, 4], [4], [5]]);
});

test('no items are no call', async () => {
  await sendInParts([], 2, () => Promise.reject(new Error('a call')));
});

const sdkError = (name: string, more: object = {}) =>
  Object.assign(new Error('no'), { name, $metadata: { attempts: 1 }, ...more });

test.each([
  ['a server fault', sdkError('InternalServerError', { $metadata: { httpStatusCode: 500 } })],
  ['a server fault without a status', sdkError('InternalServiceError', { $fault: 'server' })],
  ['an HTML page with status 502', sdkError('SyntaxError', { $metadata: { httpStatusCode: 502 } })],
  ['throttling', sdkError('ProvisionedThroughputExceededException', { $fault: 'client' })],
  ['a time-out', sdkError('TimeoutError')],
  ['a broken connection', sdkError('Error', { code: 'ECONNRESET' })],
  ['a refused connection', sdkError('AggregateError', { code: 'ECONNREFUSED' })],
  ['a name that cannot be resolved', sdkError('Error', { code: 'EAI_AGAIN' })],
])('AWS is unavailable after %s', (_name, error) => {
  expect([isUnavailable(error), isDenied(error)]).toEqual([true, false]);
});

test.each([
  'AccessDenied',
  'AccessDeniedException',
  'KMSAccessDeniedException',
  'DisabledException',
  'KMSInvalidStateException',
  'KMS.DisabledException',
  'KmsAccessDenied',
  'DecryptionFailure',
])('access that AWS denies may be given back: %s', (name) => {
  const error = sdkError(name, { $fault: 'client', $metadata: { httpStatusCode: 400 } });
  expect([isUnavailable(error), isDenied(error)]).toEqual([true, true]);
});

test.each([
  ['an error of our own', new TypeError('undefined is not a function')],
  ['an error of our own with the name of an AWS error', Object.assign(new Error(), { name: 'AccessDenied' })],
  ['a connection to another server', Object.assign(new Error(), { code: 'ECONNRESET' })],
  ['a wrong call', sdkError('ValidationException', { $metadata: { httpStatusCode: 400 } })],
  ['a full quota', sdkError('LimitExceededException', { $metadata: { httpStatusCode: 400 } })],
  ['a value that is no error', 'AccessDenied'],
])('%s does not say that AWS is unavailable', (_name, error) => {
  expect([isUnavailable(error), isDenied(error)]).toEqual([false, false]);
});

import { describe, expect, test } from 'vitest';
import { type HttpAnswer, readAnswer } from '../../lib/mixin/answer.ts';
import { findCode, type Method, mixinErrorCodes, mixinErrors } from '../../lib/mixin/errors.ts';
import { MixinError } from '../../lib/model/mixin-error.ts';
import { nowMs, vectors } from './vectors.ts';

const { request_id } = vectors.inputs;
const methods: readonly Method[] = ['GET', 'POST'];
const inNanoseconds = (ms: number): string => `${ms}000000`;

interface Answer {
  readonly status?: number;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  readonly open?: boolean;
  readonly tookMs?: number;
}

const createAnswer = (method: Method, fields: Answer): HttpAnswer => ({
  method,
  open: fields.open,
  httpStatus: fields.status ?? 200,
  headers: new Headers({ 'x-request-id': request_id, ...fields.headers }),
  bodyText: typeof fields.body === 'string' ? fields.body : JSON.stringify(fields.body ?? {}),
  sentRequestId: request_id,
  sentAtMs: nowMs,
  receivedAtMs: nowMs + (fields.tookMs ?? 50),
});

const readFailure = (method: Method, fields: Answer): MixinError => {
  try {
    readAnswer(createAnswer(method, fields));
  } catch (error) {
    if (error instanceof MixinError) return error;
    throw error;
  }
  throw new Error('the answer was accepted as valid');
};

const errorBody = (code: unknown, extra?: unknown) => ({
  error: { status: 202, code, description: 'words of Mixin', extra },
});

describe('valid answers', () => {
  test.each([200, 201, 202])('the data of an answer with HTTP %i are read', (status) => {
    const headers = { 'x-server-time': inNanoseconds(nowMs + 7) };
    expect(readAnswer(createAnswer('GET', { status, body: { data: { a: 1 } }, headers }))).toEqual({
      data: { a: 1 },
      request_id,
      server_time_ms: nowMs + 7,
    });
  });

  test.each([false, 0, '', []])('an answer may have the data %j, and the error null', (data) => {
    expect(readAnswer(createAnswer('POST', { body: { data, error: null } }))).toEqual({ data, request_id });
  });

  test('an answer may have no X-Request-Id, or ours in capitals', () => {
    const body = { data: {} };
    const silent = { ...createAnswer('GET', { body }), headers: new Headers() };
    expect(readAnswer(silent).request_id).toBe(request_id);
    const loud = createAnswer('GET', { body, headers: { 'x-request-id': request_id.toUpperCase() } });
    expect(readAnswer(loud).request_id).toBe(request_id);
  });

  test.each(['', 'soon', '1700000000', '1700000000000', '0000000000000000001', '9999999999999999999'])(
    'the server time %j is ignored',
    (time) => {
      const answer = createAnswer('GET', { body: { data: {} }, headers: { 'x-server-time': time } });
      expect(readAnswer(answer)).toEqual({ data: {}, request_id });
    },
  );
});

describe.each(methods)('the answer to a %s', (method) => {
  const unknown = method === 'GET' ? 'again' : 'unsure';

  const numbers = mixinErrorCodes.flatMap((code) => mixinErrors[code].mixin_codes);
  test.each([...new Set(numbers)])('error %i in HTTP 202 has its code and verdict', (mixin_code) => {
    const error = readFailure(method, { status: 202, body: errorBody(mixin_code) });
    // What a signed call answers with 404 is not Mixin, and did nothing.
    const code = mixin_code === 404 ? 'wrong_address' : findCode(mixin_code);
    const verdict = mixin_code === 404 ? 'again' : mixinErrors[code].verdict;
    expect(error).toMatchObject({
      code,
      verdict: verdict === 'unsure' ? unknown : verdict,
      mixin_code,
      status: 202,
      request_id,
    });
  });

  test.each<[string, Answer, string, string]>([
    ['429 on another call', { status: 202, body: errorBody(429) }, 'rate_limited', 'again'],
    ['HTTP 429 without JSON', { status: 429, body: 'slow down' }, 'rate_limited', 'again'],
    ['404 to a signed call', { status: 202, body: errorBody(404) }, 'wrong_address', 'again'],
    ['JSON of HTTP 404', { status: 404, body: { message: 'Not Found' } }, 'wrong_address', unknown],
    ['a new code', { status: 202, body: errorBody(31_337) }, 'unknown_error', 'never'],
    ['a new code in HTTP 500', { status: 500, body: errorBody(31_337) }, 'server_error', unknown],
    ['a known code in HTTP 500', { status: 500, body: errorBody(20_119) }, 'pin_refused', 'never'],
    ['a known code in HTTP 401', { status: 401, body: errorBody(401) }, 'session_refused', 'never'],
    ['500 as JSON', { status: 500, body: errorBody(500) }, 'server_error', unknown],
    ['HTML of HTTP 500', { status: 500, body: '<html>500</html>' }, 'server_error', unknown],
    ['HTML of HTTP 502', { status: 502, body: '<html>502</html>' }, 'server_error', unknown],
    ['HTTP 503 without body', { status: 503, body: '' }, 'server_error', unknown],
    ['HTTP 500 with data', { status: 500, body: { data: {} } }, 'server_error', unknown],
    ['data and error', { body: { data: { has_safe: true }, ...errorBody(403) } }, 'forbidden', 'never'],
    ['an empty body', { body: '' }, 'broken_answer', unknown],
    ['HTML of HTTP 200', { body: '<html>hello</html>' }, 'wrong_address', unknown],
    ['half of a JSON text', { body: '{"data":{"user' }, 'broken_answer', unknown],
    ['a list', { body: [{ data: {} }] }, 'broken_answer', unknown],
    ['null', { body: 'null' }, 'broken_answer', unknown],
    ['neither data nor error', { body: {} }, 'broken_answer', unknown],
    ['data null', { body: { data: null } }, 'broken_answer', unknown],
    ['an error that is text', { status: 202, body: { error: 'no' } }, 'broken_answer', unknown],
    ['an error that is false', { body: { data: {}, error: false } }, 'broken_answer', unknown],
    ['a code that is text', { status: 202, body: errorBody('401') }, 'broken_answer', unknown],
    ['a code that is no integer', { status: 202, body: errorBody(401.5) }, 'broken_answer', unknown],
    ['HTTP 404 of a web layer', { status: 404, body: '<html>404</html>' }, 'wrong_address', unknown],
    ['HTTP 403 with data', { status: 403, body: { data: {} } }, 'wrong_address', unknown],
    ['HTTP 301', { status: 301, body: { data: {} } }, 'broken_answer', unknown],
    ['HTTP 307 with an error', { status: 307, body: errorBody(401) }, 'broken_answer', unknown],
    ['HTTP 304', { status: 304, body: '' }, 'broken_answer', unknown],
    ['a redirect that fetch hides', { status: 0, body: '' }, 'broken_answer', unknown],
  ])('an answer is an error with the right code and verdict: %s', (_, fields, code, verdict) => {
    expect(readFailure(method, fields)).toMatchObject({
      code,
      verdict,
      status: fields.status ?? 200,
      request_id,
    });
  });

  test.each([{ data: { has_safe: true } }, errorBody(401), 'no JSON'])(
    'an answer with another request id is refused: %j',
    (body) => {
      const headers = { 'x-request-id': '99999999-2222-4333-8444-555555555555' };
      const error = readFailure(method, { body, headers });
      expect(error).toMatchObject({ code: 'broken_answer', verdict: unknown, request_id });
      expect(error.mixin_code).toBeUndefined();
    },
  );

  test.each([
    [60_001, 60],
    [90_400, 90],
    [90_600, 91],
    [-60_001, -60],
    [-3_600_000, -3600],
  ])('401 with a server time %i ms off is clock_skew of %i s', (offMs, skew_seconds) => {
    const headers = { 'x-server-time': inNanoseconds(nowMs + offMs) };
    const error = readFailure(method, { status: 202, body: errorBody(401), headers });
    expect(error).toMatchObject({ code: 'clock_skew', verdict: 'again', mixin_code: 401, skew_seconds });
  });

  test.each([0, 60_000, -60_000])('401 with a server time %i ms off is session_refused', (offMs) => {
    const headers = { 'x-server-time': inNanoseconds(nowMs + offMs) };
    const error = readFailure(method, { status: 202, body: errorBody(401), headers });
    expect(error).toMatchObject({ code: 'session_refused', verdict: 'never' });
    expect(error.skew_seconds).toBeUndefined();
  });

  test('401 long after signing is clock_skew, even if Mixin sends no server time', () => {
    const error = readFailure(method, { status: 202, body: errorBody(401), tookMs: 180_000 });
    expect(error).toMatchObject({ code: 'clock_skew', verdict: 'again', skew_seconds: 180 });
  });

  test('a wrong clock alone is not an error', () => {
    const headers = { 'x-server-time': inNanoseconds(nowMs + 3_600_000) };
    const answer = readAnswer(createAnswer(method, { body: { data: 1 }, headers }));
    expect(answer.server_time_ms).toBe(nowMs + 3_600_000);
  });
});

describe('the field of error 10002', () => {
  const readField = (extra: unknown) =>
    readFailure('POST', { status: 202, body: errorBody(10_002, extra) }).field;

  test.each(['signature', 'pin_base64', 'user.keys.0', 'z'.repeat(64)])(
    'error 10002 names the field %s',
    (field) => {
      expect(readField({ field, reason: 'too short' })).toBe(field);
    },
  );

  test.each([
    undefined,
    null,
    'signature',
    {},
    { field: '' },
    { field: 7 },
    { field: 'Signature' },
    { field: 'a b' },
    { field: '<b>' },
    { field: 'line\n' },
    { field: 'z'.repeat(65) },
    { field: vectors.inputs.spend_seed },
    { field: ['signature'] },
  ])('error 10002 names no field when its extra is %j', (extra) => {
    expect(readField(extra)).toBeUndefined();
  });

  test('no error but 10002 names a field', () => {
    expect(readFailure('POST', { status: 202, body: errorBody(403, { field: 'x' }) }).field).toBeUndefined();
  });
});

describe('a call without a token', () => {
  test('401 to a call without a token does not refuse a session, whatever the server time', () => {
    const headers = { 'x-server-time': inNanoseconds(nowMs + 3_600_000) };
    for (const fields of [{}, { headers }, { tookMs: 180_000 }]) {
      const error = readFailure('POST', { status: 202, body: errorBody(401), open: true, ...fields });
      expect(error).toMatchObject({ code: 'forbidden', verdict: 'never', mixin_code: 401 });
      expect(error.skew_seconds).toBeUndefined();
    }
  });

  test('a call without a token has the usual codes for other errors', () => {
    expect(readFailure('POST', { status: 202, body: errorBody(20_113), open: true }).code).toBe(
      'sms_code_wrong',
    );
  });
});

describe('the kind of captcha', () => {
  const readCaptchaError = (code: number, description: unknown) =>
    readFailure('POST', { status: 202, body: { error: { status: 202, code, description } } });

  test.each([
    ['hCaptcha', 'hcaptcha'],
    ['hCaptcha is required.', 'hcaptcha'],
    ['The GeeTest of this request is wrong', 'geetest'],
    ['Recaptcha is required.', 'recaptcha'],
    ['', 'recaptcha'],
    [undefined, 'recaptcha'],
    [{ hCaptcha: true }, 'recaptcha'],
  ])('error 10005 or 10004 with the description %j is about %s', (description, captcha) => {
    expect(readCaptchaError(10_005, description)).toMatchObject({ code: 'captcha_required', captcha });
    expect(readCaptchaError(10_004, description)).toMatchObject({ code: 'captcha_wrong', captcha });
  });

  test('no other error names a captcha, and no other word of the description is used', () => {
    expect(readCaptchaError(20_113, 'hCaptcha').captcha).toBeUndefined();
    const error = readCaptchaError(10_005, 'hCaptcha CANARY');
    expect(`${error.stack}${JSON.stringify(error)}`).not.toContain('CANARY');
  });
});

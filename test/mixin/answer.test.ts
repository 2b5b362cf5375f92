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
  readonly pin?: boolean;
  readonly open?: boolean;
  readonly tookMs?: number;
}

const answerOf = (method: Method, told: Answer): HttpAnswer => ({
  method,
  pin: told.pin,
  open: told.open,
  httpStatus: told.status ?? 200,
  headers: new Headers({ 'x-request-id': request_id, ...told.headers }),
  bodyText: typeof told.body === 'string' ? told.body : JSON.stringify(told.body ?? {}),
  sentRequestId: request_id,
  sentAtMs: nowMs,
  receivedAtMs: nowMs + (told.tookMs ?? 50),
});

const failureOf = (method: Method, told: Answer): MixinError => {
  try {
    readAnswer(answerOf(method, told));
  } catch (error) {
    if (error instanceof MixinError) return error;
    throw error;
  }
  throw new Error('the answer was believed');
};

const refused = (code: unknown, extra?: unknown) => ({
  error: { status: 202, code, description: 'words of Mixin', extra },
});

describe('an answer that is believed', () => {
  test.each([200, 201, 202])('HTTP %i with data', (status) => {
    const headers = { 'x-server-time': inNanoseconds(nowMs + 7) };
    expect(readAnswer(answerOf('GET', { status, body: { data: { a: 1 } }, headers }))).toEqual({
      data: { a: 1 },
      request_id,
      server_time_ms: nowMs + 7,
    });
  });

  test.each([false, 0, '', []])('data may be %j, and the error null', (data) => {
    expect(readAnswer(answerOf('POST', { body: { data, error: null } }))).toEqual({ data, request_id });
  });

  test('without X-Request-Id, or with ours in capitals', () => {
    const body = { data: {} };
    const silent = { ...answerOf('GET', { body }), headers: new Headers() };
    expect(readAnswer(silent).request_id).toBe(request_id);
    const loud = answerOf('GET', { body, headers: { 'x-request-id': request_id.toUpperCase() } });
    expect(readAnswer(loud).request_id).toBe(request_id);
  });

  test.each(['', 'soon', '1700000000', '1700000000000', '0000000000000000001', '9999999999999999999'])(
    'server time %j is none',
    (time) => {
      const answer = answerOf('GET', { body: { data: {} }, headers: { 'x-server-time': time } });
      expect(readAnswer(answer)).toEqual({ data: {}, request_id });
    },
  );
});

describe.each(methods)('%s', (method) => {
  const unknown = method === 'GET' ? 'again' : 'unsure';

  const numbers = mixinErrorCodes.flatMap((code) => mixinErrors[code].mixin_codes);
  test.each([...new Set(numbers)])('error %i hidden in HTTP 202', (mixin_code) => {
    const error = failureOf(method, { status: 202, body: refused(mixin_code) });
    const code = findCode(mixin_code);
    const verdict = mixinErrors[code].verdict;
    expect(error).toMatchObject({
      code,
      verdict: verdict === 'unsure' ? unknown : verdict,
      mixin_code,
      status: 202,
      request_id,
    });
  });

  test.each<[string, Answer, string, string]>([
    ['429 on a PIN call', { status: 202, body: refused(429), pin: true }, 'pin_locked', 'again'],
    ['429 on another call', { status: 202, body: refused(429), pin: false }, 'rate_limited', 'again'],
    ['HTTP 429 without JSON', { status: 429, body: 'slow down' }, 'rate_limited', 'again'],
    ['HTTP 429 without JSON, PIN', { status: 429, body: '', pin: true }, 'pin_locked', 'again'],
    ['a new code', { status: 202, body: refused(31_337) }, 'unknown_error', 'never'],
    ['a new code in HTTP 500', { status: 500, body: refused(31_337) }, 'server_error', unknown],
    ['a known code in HTTP 500', { status: 500, body: refused(20_119) }, 'pin_refused', 'never'],
    ['a known code in HTTP 401', { status: 401, body: refused(401) }, 'session_refused', 'never'],
    ['500 as JSON', { status: 500, body: refused(500) }, 'server_error', unknown],
    ['HTML of HTTP 500', { status: 500, body: '<html>500</html>' }, 'server_error', unknown],
    ['HTML of HTTP 502', { status: 502, body: '<html>502</html>' }, 'server_error', unknown],
    ['HTTP 503 without body', { status: 503, body: '' }, 'server_error', unknown],
    ['HTTP 500 with data', { status: 500, body: { data: {} } }, 'server_error', unknown],
    ['data and error', { body: { data: { has_safe: true }, ...refused(403) } }, 'forbidden', 'never'],
    ['an empty body', { body: '' }, 'broken_answer', unknown],
    ['HTML of HTTP 200', { body: '<html>hello</html>' }, 'broken_answer', unknown],
    ['half of a JSON', { body: '{"data":{"user' }, 'broken_answer', unknown],
    ['a list', { body: [{ data: {} }] }, 'broken_answer', unknown],
    ['null', { body: 'null' }, 'broken_answer', unknown],
    ['neither data nor error', { body: {} }, 'broken_answer', unknown],
    ['data null', { body: { data: null } }, 'broken_answer', unknown],
    ['an error that is text', { status: 202, body: { error: 'no' } }, 'broken_answer', unknown],
    ['an error that is false', { body: { data: {}, error: false } }, 'broken_answer', unknown],
    ['a code that is text', { status: 202, body: refused('401') }, 'broken_answer', unknown],
    ['a code that is no integer', { status: 202, body: refused(401.5) }, 'broken_answer', unknown],
    ['HTTP 404 of a web layer', { status: 404, body: '<html>404</html>' }, 'broken_answer', unknown],
    ['HTTP 403 with data', { status: 403, body: { data: {} } }, 'broken_answer', unknown],
    ['HTTP 301', { status: 301, body: { data: {} } }, 'broken_answer', unknown],
    ['HTTP 307 with an error', { status: 307, body: refused(401) }, 'broken_answer', unknown],
    ['HTTP 304', { status: 304, body: '' }, 'broken_answer', unknown],
    ['a hidden redirect', { status: 0, body: '' }, 'broken_answer', unknown],
  ])('%s', (_, told, code, verdict) => {
    expect(failureOf(method, told)).toMatchObject({ code, verdict, status: told.status ?? 200, request_id });
  });

  test.each([{ data: { has_safe: true } }, refused(401), 'no JSON'])(
    'an answer to another request is not believed: %j',
    (body) => {
      const headers = { 'x-request-id': '99999999-2222-4333-8444-555555555555' };
      const error = failureOf(method, { body, headers });
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
    const error = failureOf(method, { status: 202, body: refused(401), headers });
    expect(error).toMatchObject({ code: 'clock_skew', verdict: 'again', mixin_code: 401, skew_seconds });
  });

  test.each([0, 60_000, -60_000])('401 with a server time %i ms off is session_refused', (offMs) => {
    const headers = { 'x-server-time': inNanoseconds(nowMs + offMs) };
    const error = failureOf(method, { status: 202, body: refused(401), headers });
    expect(error).toMatchObject({ code: 'session_refused', verdict: 'never' });
    expect(error.skew_seconds).toBeUndefined();
  });

  test('401 long after signing is no refusal of the session, even where Mixin tells no time', () => {
    const error = failureOf(method, { status: 202, body: refused(401), tookMs: 180_000 });
    expect(error).toMatchObject({ code: 'clock_skew', verdict: 'again', skew_seconds: 180 });
  });

  test('skew alone is no error', () => {
    const headers = { 'x-server-time': inNanoseconds(nowMs + 3_600_000) };
    const answer = readAnswer(answerOf(method, { body: { data: 1 }, headers }));
    expect(answer.server_time_ms).toBe(nowMs + 3_600_000);
  });
});

describe('the field of error 10002', () => {
  const fieldOf = (extra: unknown) => failureOf('POST', { status: 202, body: refused(10_002, extra) }).field;

  test.each(['signature', 'pin_base64', 'user.keys.0', 'z'.repeat(64)])('%s is told', (field) => {
    expect(fieldOf({ field, reason: 'too short' })).toBe(field);
  });

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
  ])('%j tells none', (extra) => {
    expect(fieldOf(extra)).toBeUndefined();
  });

  test('and of no other error', () => {
    expect(failureOf('POST', { status: 202, body: refused(403, { field: 'x' }) }).field).toBeUndefined();
  });
});

describe('a call without a token', () => {
  test('401 is no refusal of a session, whatever the time', () => {
    const headers = { 'x-server-time': inNanoseconds(nowMs + 3_600_000) };
    for (const told of [{}, { headers }, { tookMs: 180_000 }]) {
      const error = failureOf('POST', { status: 202, body: refused(401), open: true, ...told });
      expect(error).toMatchObject({ code: 'forbidden', verdict: 'never', mixin_code: 401 });
      expect(error.skew_seconds).toBeUndefined();
    }
  });

  test('other refusals are what they are', () => {
    expect(failureOf('POST', { status: 202, body: refused(20_113), open: true }).code).toBe('sms_code_wrong');
  });
});

describe('which captcha', () => {
  const captchaOf = (code: number, description: unknown) =>
    failureOf('POST', { status: 202, body: { error: { status: 202, code, description } } });

  test.each([
    ['hCaptcha', 'hcaptcha'],
    ['hCaptcha is required.', 'hcaptcha'],
    ['The GeeTest of this request is wrong', 'geetest'],
    ['Recaptcha is required.', 'recaptcha'],
    ['', 'recaptcha'],
    [undefined, 'recaptcha'],
    [{ hCaptcha: true }, 'recaptcha'],
  ])('%j is %s', (description, captcha) => {
    expect(captchaOf(10_005, description)).toMatchObject({ code: 'captcha_required', captcha });
    expect(captchaOf(10_004, description)).toMatchObject({ code: 'captcha_wrong', captcha });
  });

  test('of no other error, and no other word is taken', () => {
    expect(captchaOf(20_113, 'hCaptcha').captcha).toBeUndefined();
    const error = captchaOf(10_005, 'hCaptcha CANARY');
    expect(`${error.stack}${JSON.stringify(error)}`).not.toContain('CANARY');
  });
});

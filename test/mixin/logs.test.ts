import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { readPinErrors } from '../../lib/mixin/logs.ts';
import { vectors } from './vectors.ts';

const { request_id } = vectors.inputs;
const read = (data: unknown) => readPinErrors({ data, request_id });
const entry = (created_at: unknown) => ({
  type: 'log',
  log_id: vectors.inputs.user_id,
  code: 'PIN_INCORRECT',
  ip_address: '127.0.0.1',
  created_at,
});

test('an empty log has no PIN errors', () => {
  expect(read([])).toEqual([]);
});

test('times with nanoseconds and offsets become UTC with milliseconds', () => {
  expect(read([entry('2018-05-03T06:03:56.867971412Z'), entry('2018-05-03T06:03:56+02:00')])).toEqual([
    '2018-05-03T06:03:56.867Z',
    '2018-05-03T04:03:56.000Z',
  ]);
});

test('the five newest times are read, newest first, in whatever order Mixin lists them', () => {
  const times = fc.array(fc.date({ min: new Date(0), max: new Date('2100'), noInvalidDate: true }), {
    maxLength: 9,
  });
  fc.assert(
    fc.property(times, (dates) => {
      const ms = read(dates.map((date) => entry(date.toISOString()))).map((time) => Date.parse(time));
      const expected = dates.map(Number).sort((a, b) => b - a);
      expect(ms).toEqual(expected.slice(0, 5));
    }),
  );
});

describe('invalid logs', () => {
  test.each([
    ['a text', 'CANARY'],
    ['an object', { logs: [] }],
    ['an entry without a time', [entry(undefined)]],
    ['an empty time', [entry('')]],
    ['a date without a time', [entry('2018-05-03')]],
    ['a time that does not exist', [entry('2018-13-03T06:03:56Z')]],
    ['a number', [entry(1_700_000_000)]],
    ['one bad entry among good ones', [entry('2018-05-03T06:03:56Z'), entry('CANARY')]],
  ])('a log is refused and not quoted: %s', (_, data) => {
    const broken = { name: 'MixinError', code: 'broken_answer', verdict: 'again', request_id };
    expect(() => read(data)).toThrow(expect.objectContaining(broken));
    expect(() => read(data)).toThrow(/^(?!.*CANARY)/s);
  });
});

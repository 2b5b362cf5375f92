import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type LogCode, type LogFields, logMessages } from '../../lib/model/log.ts';
import { createLog } from '../../lib/runtime/log.ts';

const NOW = Date.parse('2026-11-21T12:00:00.000Z');

const writeLine = (fields?: LogFields, base?: LogFields): Record<string, unknown> => {
  const lines: string[] = [];
  createLog(
    (line) => lines.push(line),
    () => NOW,
    base,
  )('info', 'bot_moved', fields);
  expect(lines).toHaveLength(1);
  expect(lines[0]).not.toContain('\n');
  return JSON.parse(lines[0] ?? '');
};

const head = {
  time: '2026-11-21T12:00:00.000Z',
  level: 'info',
  code: 'bot_moved',
  message: logMessages.bot_moved,
};

/** No other field may be logged. */
const fieldNames = [
  'step',
  'bot_id',
  'batch_id',
  'request_id',
  'message_id',
  'from',
  'to',
  'reason',
  'error',
  'count',
  'receive_count',
] as const;

test('a log line has a code for queries, a sentence for people, and the given fields', () => {
  expect(writeLine({ bot_id: 'u', count: 0 }, { step: 'check' })).toEqual({
    ...head,
    step: 'check',
    bot_id: 'u',
    count: 0,
  });
  expect(writeLine()).toEqual(head);
});

test('every allowed field is logged, and a field of the call replaces that of the base', () => {
  const all = Object.fromEntries(fieldNames.map((name) => [name, name])) as unknown as LogFields;
  expect(writeLine(all)).toEqual({ ...head, ...all });
  expect(writeLine({ step: 'api' }, { step: 'check' })).toEqual({ ...head, step: 'api' });
});

test('no other field of the base or of the call is logged, or replaces the head of the line', () => {
  const names = fc.oneof(
    fc.string(),
    fc.constantFrom('time', 'level', 'code', 'message', 'body', 'spend_private_key', '__proto__', 'toJSON'),
  );
  const fields = fc.dictionary(
    names.filter((name) => !(fieldNames as readonly string[]).includes(name)),
    fc.constant('CANARY'),
  );
  fc.assert(
    fc.property(fields, fields, (more, base) => {
      expect(writeLine({ ...more, bot_id: 'u' } as LogFields, base as LogFields)).toEqual({
        ...head,
        bot_id: 'u',
      });
    }),
  );
});

test('a line break in a value does not start a second log line', () => {
  expect(writeLine({ reason: 'a\nb' }).reason).toBe('a\nb');
});

test('each log line has the time at which it was written', () => {
  const lines: string[] = [];
  let now = NOW;
  const log = createLog(
    (line) => lines.push(line),
    () => now,
  );
  log('info', 'swept');
  now += 1_500;
  log('error', 'swept');
  expect(lines.map((line) => JSON.parse(line))).toMatchObject([
    { time: '2026-11-21T12:00:00.000Z', level: 'info' },
    { time: '2026-11-21T12:00:01.500Z', level: 'error' },
  ]);
});

test.each(Object.entries(logMessages) as [LogCode, string][])(
  'the log code %s has a sentence',
  (code, message) => {
    expect(code).toMatch(/^[a-z_]+$/);
    expect(message).toMatch(/^[A-Z].*\.$/);
  },
);

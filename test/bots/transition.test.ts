import { randomUUID } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { check } from '../../lib/bots/check.ts';
import { enroll } from '../../lib/bots/enroll.ts';
import { register } from '../../lib/bots/register.ts';
import { buildChanges, moveBot, postponeBot, sendToStep } from '../../lib/bots/transition.ts';
import type { Bot } from '../../lib/model/bot.ts';
import type { QueueName } from '../../lib/model/deployment.ts';
import type { Services, Table } from '../../lib/model/ports.ts';
import { type MoveName, moves } from '../../lib/model/states.ts';
import { timing } from '../../lib/model/timing.ts';
import { buildBot, isoTime, NOW, recordServices, startServices } from '../helpers/services.ts';

const note = { step: 'check' };
const why = { code: 'some_reason', message: 'm', fix: 't' };
const names = Object.keys(moves) as MoveName[];
const anyMove = fc.constantFrom(...names);

const enrolment = { kind: 'network_user', owner: 'owner', full_name: 'name' } as const;

describe('the writes of a move', () => {
  test.each(names)(
    'the move %s writes its state, and ends the lease, the wait and the reason of before',
    (move) => {
      const bot = buildBot({ state: moves[move].from[0], stalls: 2 });
      const changes = buildChanges(bot, move, NOW, note);
      expect(changes.state).toBe(moves[move].to);
      for (const name of ['lease_owner', 'lease_until', 'wait_until', 'reason', 'stalls']) {
        expect(Object.hasOwn(changes, name), name).toBe(true);
        expect(changes[name as keyof typeof changes]).toBeUndefined();
      }
    },
  );

  test('the history has time, state, step and reason of a move', () => {
    const changes = buildChanges(buildBot(), 'block', NOW, { step: 'check', reason: why, request_id: 'r-1' });
    expect(changes.history?.at(-1)).toEqual({
      at: isoTime(0),
      state: 'blocked',
      step: 'check',
      code: 'some_reason',
      request_id: 'r-1',
    });
    expect(changes.reason).toBe(why);
  });

  test('state_since is the time when the state began, not the time of the last check', () => {
    const bot = buildBot({ state: 'registered' });
    expect(buildChanges(bot, 'confirm', NOW, note).state_since).toBe(bot.state_since);
    expect(buildChanges(buildBot(), 'confirm', NOW, note).state_since).toBe(isoTime(0));
  });

  test('an audit that finds nothing new writes no history', () => {
    const bot = buildBot({ state: 'registered' });
    expect(buildChanges(bot, 'confirm', NOW, note).history).toBe(bot.history);
    const waiting = buildBot({ state: 'waiting' });
    expect(buildChanges(waiting, 'postpone', NOW, { ...note, reason: why }).history).toHaveLength(2);
  });

  test('attempts grow with failures, stay while a bot moves forward, and start again at 0 otherwise', () => {
    const after = (move: MoveName) => buildChanges(buildBot({ attempts: 4 }), move, NOW, note).attempts;
    expect(Object.fromEntries(names.map((name) => [name, after(name)]))).toEqual({
      enroll: 4,
      conclude: 0,
      accept: 4,
      confirm: 0,
      mark_external: 0,
      postpone: 5,
      mark_unsure: 5,
      block: 0,
      fail: 0,
      requeue: 0,
      resend: 0,
    });
  });

  test('the sweep leaves an unsure enrolment to an operator, because no GET can decide it', () => {
    const dueAt = (bot: Partial<Bot>) => buildChanges(buildBot(bot), 'mark_unsure', NOW, note).due_at;
    expect(dueAt({ state: 'enrolling', enrolment: enrolment })).toBeUndefined();
    expect(dueAt({ state: 'registering' })).toBeDefined();
  });

  test.each([
    ['accept', timing.stalledSeconds],
    ['requeue', timing.graceSeconds],
    ['confirm', timing.auditSeconds],
    ['mark_external', timing.auditSeconds],
    ['block', undefined],
    ['fail', undefined],
    ['enroll', timing.graceSeconds],
    ['conclude', timing.graceSeconds],
    ['resend', timing.graceSeconds],
  ] as const)('after the move %s the sweep checks again after %s seconds', (move, seconds) => {
    const changes = buildChanges(buildBot(), move, NOW, note);
    expect(Object.hasOwn(changes, 'due_at')).toBe(true);
    expect(changes.due_at).toBe(seconds === undefined ? undefined : isoTime(seconds));
  });

  test.each(['postpone', 'mark_unsure'] as const)(
    'after the move %s the sweep comes after the message, or instead of it',
    (move) => {
      const due = (seconds: number) =>
        buildChanges(buildBot({ state: 'registering' }), move, NOW, note, { wait_until: isoTime(seconds) })
          .due_at;
      expect(due(10)).toBe(isoTime(10 + timing.graceSeconds));
      expect(due(timing.maxMessageDelaySeconds)).toBe(
        isoTime(timing.maxMessageDelaySeconds + timing.graceSeconds),
      );
      expect(due(timing.maxMessageDelaySeconds + 1)).toBe(isoTime(timing.maxMessageDelaySeconds + 1));
      expect(due(timing.pinLockSeconds)).toBe(isoTime(timing.pinLockSeconds));
    },
  );

  test('the history never exceeds its size, and keeps the first and the last moves', () => {
    const steps = (bot: Pick<Bot, 'history'>) => bot.history.map(({ step }) => step);
    fc.assert(
      fc.property(fc.array(anyMove, { minLength: 61, maxLength: 150 }), (walk) => {
        let bot = buildBot({ history: [] });
        walk.forEach((move, i) => {
          const changes = buildChanges(bot, move, NOW + i, { step: String(i), reason: why });
          bot = { ...bot, ...changes } as Bot;
          expect(bot.history.length).toBe(Math.min(i + 1, 60));
        });
        const numbers = walk.map((_, i) => String(i));
        expect(steps(bot)).toEqual([...numbers.slice(0, 10), ...numbers.slice(-50)]);
      }),
      { numRuns: 10 },
    );
  });
});

const readBot = async ({ bot_id }: Bot) => (await startServices()).services.table.readBot(bot_id);
const because = { ...note, reason: why };

describe('moveBot', () => {
  test('moveBot writes the move and logs it', async () => {
    const bot = buildBot();
    const { services, logLines } = await recordServices({ bots: [bot] });
    const result = await moveBot(services, bot, 'block', { ...because, request_id: 'r-1' });
    expect(result).toEqual(await readBot(bot));
    expect(result).toMatchObject({ state: 'blocked', revision: 2 });
    expect(logLines).toEqual([
      {
        code: 'bot_moved',
        fields: {
          step: 'check',
          bot_id: bot.bot_id,
          batch_id: bot.batch_id,
          from: 'queued',
          to: 'blocked',
          reason: 'some_reason',
          request_id: 'r-1',
        },
      },
    ]);
  });

  test('moveBot writes nothing when the move may not start from the state of the bot', async () => {
    const bot = buildBot({ state: 'blocked' });
    const { services, logLines, countUpdates } = await recordServices({ bots: [bot] });
    expect(await moveBot(services, bot, 'accept', note)).toBeUndefined();
    expect(countUpdates()).toBe(0);
    expect(logLines.map(({ code }) => code)).toEqual(['lost_race']);
  });

  test('moveBot makes the move on the new row when only a list or the sweep has changed it', async () => {
    const bot = buildBot();
    const batch_id = randomUUID();
    const row = { ...bot, batch_id, line: 9, attempts: 3, revision: 2 };
    const { services, countUpdates } = await recordServices({ bots: [row] });
    const result = await moveBot(services, bot, 'postpone', because);
    expect(result).toMatchObject({ state: 'waiting', batch_id, line: 9, attempts: 4, revision: 3 });
    expect(countUpdates()).toBe(2);
  });

  test('moveBot tries again for as long as only a list changes the row', async () => {
    const bot = buildBot();
    const { services } = await recordServices({ bots: [{ ...bot, revision: 7 }] });
    const { table } = services;
    let changes = 5;
    const changeAndRead: Table['readBot'] = async (bot_id) => {
      const row = await table.readBot(bot_id);
      if (row && changes > 0) await table.updateBot(row, { line: changes });
      changes -= 1;
      return row;
    };
    const changing = { ...services, table: { ...table, readBot: changeAndRead } };
    expect(await moveBot(changing, bot, 'accept', note)).toMatchObject({ state: 'registering', line: 1 });
  });

  test.each<[string, Partial<Bot>]>([
    ['is in another state', { state: 'registering' }],
    [
      'was moved there and back',
      { history: [...buildBot().history, { at: isoTime(0), state: 'queued', step: 'x' }] },
    ],
    ['has got its lease', { lease_owner: 'another worker' }],
    ['has a full history with a new move', { history: [{ at: isoTime(1), state: 'queued', step: 'x' }] }],
  ])('moveBot changes nothing of a bot that in the meantime %s', async (_name, changes) => {
    const bot = buildBot();
    const row = { ...bot, ...changes, revision: 2 };
    const { services, logLines } = await recordServices({ bots: [row] });
    expect(await moveBot(services, bot, 'block', because)).toBeUndefined();
    expect(await readBot(bot)).toEqual(row);
    expect(logLines.map(({ code }) => code)).toEqual(['lost_race']);
  });

  test('moveBot makes no row for a bot that has none', async () => {
    const { services } = await recordServices();
    const bot = buildBot();
    expect(await moveBot(services, bot, 'accept', note)).toBeUndefined();
    expect(await readBot(bot)).toBeUndefined();
  });

  test('moveBot gives up a write that the row itself forbids', async () => {
    const bot = buildBot({ state: 'waiting', public_key: 'a'.repeat(64) });
    const { services, countUpdates } = await recordServices({ bots: [bot] });
    const moving = moveBot(services, bot, 'confirm', note, { public_key: 'b'.repeat(64) });
    await moving.catch(() => undefined);
    expect(countUpdates()).toBeLessThan(10);
    expect((await readBot(bot))?.public_key).toBe(bot.public_key);
  });
});

describe('postponeBot', () => {
  test('postponeBot sends a delayed message for a short pause', async () => {
    const bot = buildBot({ state: 'registering' });
    const { services, messages } = await recordServices({ bots: [bot] });
    await postponeBot(services, bot, 'mark_unsure', 40, because);
    expect(await readBot(bot)).toMatchObject({ state: 'unsure', wait_until: isoTime(40) });
    const message = { body: { bot_id: bot.bot_id }, batch_id: bot.batch_id, delaySeconds: 40 };
    expect(messages).toEqual([{ queue: 'check', message }]);
  });

  test('postponeBot leaves a pause to the sweep when SQS cannot delay a message that long', async () => {
    const bot = buildBot();
    const { services, messages } = await recordServices({ bots: [bot] });
    await postponeBot(services, bot, 'postpone', timing.maxMessageDelaySeconds + 1, because);
    expect((await readBot(bot))?.state).toBe('waiting');
    expect(messages).toEqual([]);
  });

  test('postponeBot sends nothing when another worker has moved the bot', async () => {
    const bot = buildBot();
    const { services, messages } = await recordServices({
      bots: [{ ...bot, state: 'blocked', revision: 2 }],
    });
    await postponeBot(services, bot, 'postpone', 5, note);
    expect(messages).toEqual([]);
  });

  test('postponeBot rounds a delay up, because SQS takes whole seconds only', async () => {
    const bot = buildBot({ state: 'registering' });
    const { services, messages } = await recordServices({ bots: [bot] });
    // The rest of a PIN lock, as register computes it.
    await postponeBot(services, bot, 'postpone', 12.345, because);
    expect(messages.map(({ message }) => message.delaySeconds)).toEqual([13]);
  });
});

test('a message to a step has the ids of the bot and of its batch, and nothing else', async () => {
  const { services, messages } = await recordServices();
  const bot = buildBot();
  await sendToStep(services, 'register', bot, 3);
  const message = { body: { bot_id: bot.bot_id }, batch_id: bot.batch_id, delaySeconds: 3 };
  expect(messages).toEqual([{ queue: 'register', message }]);
});

describe('a worker that dies between the move of a bot and its message', () => {
  const steps: readonly [QueueName, (services: Services, body: unknown) => Promise<void>][] = [
    ['check', check],
    ['register', (services, body) => register(services, body, services.now() + 25_000)],
    ['enroll', (services, body) => enroll(services, body, services.now() + 25_000)],
  ];
  const buildWaiting = (step: QueueName, seconds: number) =>
    buildBot({ state: 'waiting', wait_until: isoTime(seconds), ...(step === 'enroll' && { enrolment }) });

  test.each(steps)(
    'the message that comes to %s again is sent for the end of the pause',
    async (step, run) => {
      const bot = buildWaiting(step, 5);
      const { services, messages, countUpdates } = await recordServices({ bots: [bot] });
      await run(services, { bot_id: bot.bot_id });
      const queue = step === 'enroll' ? 'enroll' : 'check';
      const message = { body: { bot_id: bot.bot_id }, batch_id: bot.batch_id, delaySeconds: 5 };
      expect(messages).toEqual([{ queue, message }]);
      expect(countUpdates()).toBe(0);
    },
  );

  test.each(steps)('a pause that SQS cannot delay for is left to the sweep by %s', async (step, run) => {
    const bot = buildWaiting(step, timing.maxMessageDelaySeconds + 1);
    const { services, messages } = await recordServices({ bots: [bot] });
    await run(services, { bot_id: bot.bot_id });
    expect(messages).toEqual([]);
  });
});

import { randomUUID } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { changesOf, moveBot, putOff, sendTo } from '../../lib/bots/transition.ts';
import type { Bot } from '../../lib/model/bot.ts';
import type { Table } from '../../lib/model/ports.ts';
import { type MoveName, moves } from '../../lib/model/states.ts';
import { timing } from '../../lib/model/timing.ts';
import { aBot, createMemory, later, NOW } from './memory.ts';

const note = { step: 'check' };
const why = { code: 'some_reason', message: 'm', fix: 't' };
const names = Object.keys(moves) as MoveName[];
const anyMove = fc.constantFrom(...names);

const enrolled = { kind: 'network_user', owner: 'owner', full_name: 'name' } as const;

describe('what a move writes', () => {
  test.each(names)('%s ends in its state, and ends the lease and the wait of before', (move) => {
    const bot = aBot({ state: moves[move].from[0], stalls: 2 });
    const changes = changesOf(bot, move, NOW, note);
    expect(changes.state).toBe(moves[move].to);
    for (const name of ['lease_owner', 'lease_until', 'wait_until', 'reason', 'stalls']) {
      expect(Object.hasOwn(changes, name), name).toBe(true);
      expect(changes[name as keyof typeof changes]).toBeUndefined();
    }
  });

  test('the history says when, where and why', () => {
    const changes = changesOf(aBot(), 'block', NOW, { step: 'check', reason: why, request_id: 'r-1' });
    expect(changes.history?.at(-1)).toEqual({
      at: later(0),
      state: 'blocked',
      step: 'check',
      code: 'some_reason',
      request_id: 'r-1',
    });
    expect(changes.reason).toBe(why);
  });

  test('state_since is the day the state began, not of the last look', () => {
    const bot = aBot({ state: 'registered' });
    expect(changesOf(bot, 'confirm', NOW, note).state_since).toBe(bot.state_since);
    expect(changesOf(aBot(), 'confirm', NOW, note).state_since).toBe(later(0));
  });

  test('an audit that finds nothing new writes no history', () => {
    const bot = aBot({ state: 'registered' });
    expect(changesOf(bot, 'confirm', NOW, note).history).toBe(bot.history);
    const waiting = aBot({ state: 'waiting' });
    expect(changesOf(waiting, 'postpone', NOW, { ...note, reason: why }).history).toHaveLength(2);
  });

  test('attempts grow with trouble, stay while a bot comes forward, and begin anew elsewhere', () => {
    const after = (move: MoveName) => changesOf(aBot({ attempts: 4 }), move, NOW, note).attempts;
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

  test('no GET can settle an enrolment in doubt, so the sweep leaves it to an operator', () => {
    const dueAt = (bot: Partial<Bot>) => changesOf(aBot(bot), 'mark_unsure', NOW, note).due_at;
    expect(dueAt({ state: 'enrolling', enrolment: enrolled })).toBeUndefined();
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
  ] as const)('%s: the sweep looks again after %s seconds', (move, seconds) => {
    const changes = changesOf(aBot(), move, NOW, note);
    expect(Object.hasOwn(changes, 'due_at')).toBe(true);
    expect(changes.due_at).toBe(seconds === undefined ? undefined : later(seconds));
  });

  test.each(['postpone', 'mark_unsure'] as const)(
    '%s: the sweep comes after the message, or in its place',
    (move) => {
      const due = (seconds: number) =>
        changesOf(aBot({ state: 'registering' }), move, NOW, note, { wait_until: later(seconds) }).due_at;
      expect(due(10)).toBe(later(10 + timing.graceSeconds));
      expect(due(timing.maxMessageDelaySeconds)).toBe(
        later(timing.maxMessageDelaySeconds + timing.graceSeconds),
      );
      expect(due(timing.maxMessageDelaySeconds + 1)).toBe(later(timing.maxMessageDelaySeconds + 1));
      expect(due(timing.pinLockSeconds)).toBe(later(timing.pinLockSeconds));
    },
  );

  test('the history never outgrows its room; how the bot began and its last moves stay', () => {
    const steps = (bot: Pick<Bot, 'history'>) => bot.history.map(({ step }) => step);
    fc.assert(
      fc.property(fc.array(anyMove, { minLength: 61, maxLength: 150 }), (walk) => {
        let bot = aBot({ history: [] });
        walk.forEach((move, i) => {
          const changes = changesOf(bot, move, NOW + i, { step: String(i), reason: why });
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

describe('moveBot', () => {
  test('writes the move and says so', async () => {
    const bot = aBot();
    const memory = createMemory({ bots: [bot] });
    const moved = await moveBot(memory.services, bot, 'block', { ...note, reason: why, request_id: 'r-1' });
    expect(moved).toEqual(memory.bots.get(bot.bot_id));
    expect(moved).toMatchObject({ state: 'blocked', revision: 2 });
    expect(memory.logged).toEqual([
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

  test('a move that may not start here writes nothing', async () => {
    const bot = aBot({ state: 'blocked' });
    const memory = createMemory({ bots: [bot] });
    expect(await moveBot(memory.services, bot, 'accept', note)).toBeUndefined();
    expect(memory.updates).toBe(0);
    expect(memory.logged.map(({ code }) => code)).toEqual(['lost_race']);
  });

  test('what a list or the sweep changed around the bot does not stop the move, and is kept', async () => {
    const bot = aBot();
    const batch_id = randomUUID();
    const memory = createMemory({ bots: [{ ...bot, batch_id, line: 9, attempts: 3, revision: 2 }] });
    const moved = await moveBot(memory.services, bot, 'postpone', { ...note, reason: why });
    expect(moved).toMatchObject({ state: 'waiting', batch_id, line: 9, attempts: 4, revision: 3 });
    expect(memory.updates).toBe(2);
  });

  test('it goes on as often as the surroundings change', async () => {
    const bot = aBot();
    const memory = createMemory({ bots: [bot] });
    let changes = 5;
    const readBot: Table['readBot'] = async (user_id) => {
      const row = memory.bots.get(user_id);
      if (row && changes > 0) memory.bots.set(user_id, { ...row, line: changes, revision: row.revision + 1 });
      changes -= 1;
      return row;
    };
    memory.bots.set(bot.bot_id, { ...bot, revision: 7 });
    const services = { ...memory.services, table: { ...memory.services.table, readBot } };
    expect(await moveBot(services, bot, 'accept', note)).toMatchObject({ state: 'registering', line: 1 });
  });

  test.each<[string, Partial<Bot>]>([
    ['is in another state', { state: 'registering' }],
    [
      'was moved there and back',
      { history: [...aBot().history, { at: later(0), state: 'queued', step: 'x' }] },
    ],
    ['has got its lease', { lease_owner: 'another worker' }],
    ['has a full history that went on', { history: [{ at: later(1), state: 'queued', step: 'x' }] }],
  ])('a bot that meanwhile %s is left alone', async (_name, changed) => {
    const bot = aBot();
    const row = { ...bot, ...changed, revision: 2 };
    const memory = createMemory({ bots: [row] });
    expect(await moveBot(memory.services, bot, 'block', { ...note, reason: why })).toBeUndefined();
    expect(memory.bots.get(bot.bot_id)).toEqual(row);
    expect(memory.logged.map(({ code }) => code)).toEqual(['lost_race']);
  });

  test('a bot that is gone is left alone', async () => {
    const memory = createMemory();
    expect(await moveBot(memory.services, aBot(), 'accept', note)).toBeUndefined();
  });

  test('a write that its own condition forbids ends, and is not tried without end', async () => {
    const bot = aBot({ state: 'waiting', public_key: 'a'.repeat(64) });
    const memory = createMemory({ bots: [bot] });
    const moving = moveBot(memory.services, bot, 'confirm', note, { public_key: 'b'.repeat(64) });
    await moving.catch(() => undefined);
    expect(memory.updates).toBeLessThan(10);
    expect(memory.bots.get(bot.bot_id)?.public_key).toBe(bot.public_key);
  });
});

describe('putOff', () => {
  test('a short pause is a delayed message, with the sweep behind it', async () => {
    const bot = aBot({ state: 'registering' });
    const memory = createMemory({ bots: [bot] });
    await putOff(memory.services, bot, 'mark_unsure', 40, { ...note, reason: why });
    expect(memory.bots.get(bot.bot_id)).toMatchObject({ state: 'unsure', wait_until: later(40) });
    expect(memory.sent).toEqual([
      {
        queue: 'check',
        message: { body: { bot_id: bot.bot_id }, batch_id: bot.batch_id, delaySeconds: 40 },
      },
    ]);
  });

  test('a pause that SQS cannot keep is the sweep’s alone', async () => {
    const bot = aBot();
    const memory = createMemory({ bots: [bot] });
    await putOff(memory.services, bot, 'postpone', timing.maxMessageDelaySeconds + 1, {
      ...note,
      reason: why,
    });
    expect(memory.bots.get(bot.bot_id)?.state).toBe('waiting');
    expect(memory.sent).toEqual([]);
  });

  test('a lost race sends nothing', async () => {
    const bot = aBot();
    const memory = createMemory({ bots: [{ ...bot, state: 'blocked', revision: 2 }] });
    await putOff(memory.services, bot, 'postpone', 5, note);
    expect(memory.sent).toEqual([]);
  });

  test('SQS takes whole seconds only: a message is never early nor broken', async () => {
    const bot = aBot({ state: 'registering' });
    const memory = createMemory({ bots: [bot] });
    // The rest of a PIN lock, as register computes it.
    await putOff(memory.services, bot, 'postpone', 12.345, { ...note, reason: why });
    expect(memory.sent.map(({ message }) => message.delaySeconds)).toEqual([13]);
  });
});

test('sendTo names the bot, and its batch for fairness, and nothing else', async () => {
  const memory = createMemory();
  const bot = aBot();
  await sendTo(memory.services, 'register', bot, 3);
  expect(memory.sent).toEqual([
    {
      queue: 'register',
      message: { body: { bot_id: bot.bot_id }, batch_id: bot.batch_id, delaySeconds: 3 },
    },
  ]);
});

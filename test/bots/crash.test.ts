import { randomUUID } from 'node:crypto';
import { expect, test } from 'vitest';
import { recordCrash } from '../../lib/bots/crash.ts';
import { aBatch, aBot, createMemory } from './memory.ts';

test('the bot of the message is blocked, with what to do', async () => {
  const bot = aBot({ state: 'registering', lease_owner: 'worker', lease_until: '2026-11-21T12:00:30.000Z' });
  const memory = createMemory({ bots: [bot] });
  await recordCrash(memory.services, 'register', JSON.stringify({ bot_id: bot.bot_id }));
  const row = memory.bots.get(bot.bot_id);
  expect(row).toMatchObject({ state: 'blocked', reason: { code: 'handler_crashed' } });
  expect(row?.history.at(-1)).toMatchObject({ step: 'register', state: 'blocked', code: 'handler_crashed' });
  expect(row).not.toHaveProperty('lease_owner');
});

test.each(['registered', 'external', 'blocked', 'failed'] as const)(
  'a bot that is %s stays as it is',
  async (state) => {
    const reason = { code: 'not_found', message: 'm', fix: 't' };
    const bot = aBot({ state, reason });
    const memory = createMemory({ bots: [bot] });
    await recordCrash(memory.services, 'check', JSON.stringify({ bot_id: bot.bot_id }));
    expect(memory.bots.get(bot.bot_id)).toEqual(bot);
  },
);

test.each([
  [{}, /Reading the list/],
  [{ chunk: 3 }, /a part of the list/],
])('the batch of the message %j learns that it is stuck', async (part, message) => {
  const batch = aBatch({ status: 'importing' });
  const memory = createMemory({ batches: [batch] });
  await recordCrash(memory.services, 'intake', JSON.stringify({ batch_id: batch.batch_id, ...part }));
  expect(memory.stuck.get(batch.batch_id)).toMatchObject({
    code: 'handler_crashed',
    message: expect.stringMatching(message),
    fix: expect.stringContaining('/retry'),
  });
});

test.each([
  ['no JSON', '{'],
  ['nothing', ''],
  ['a list', '[]'],
  ['null', 'null'],
  ['another message', '{"hello":"world"}'],
  ['no UUID', '{"user_id":"x","batch_id":"y"}'],
  ['an unknown bot', JSON.stringify({ user_id: randomUUID() })],
  ['a chunk that cannot be', JSON.stringify({ batch_id: randomUUID(), chunk: 0 })],
])('%s as a message has no row to tell', async (_name, body) => {
  const memory = createMemory();
  await recordCrash(memory.services, 'check', body);
  expect(memory.stuck.size).toBe(0);
  expect(memory.updates).toBe(0);
});

test('a message that got into another step’s queue harms neither its bot nor its batch', async () => {
  const bot = aBot({ state: 'queued' });
  const batch = aBatch({ status: 'importing' });
  const memory = createMemory({ bots: [bot], batches: [batch] });
  await recordCrash(memory.services, 'intake', JSON.stringify({ bot_id: bot.bot_id }));
  await recordCrash(memory.services, 'check', JSON.stringify({ batch_id: batch.batch_id }));
  expect(memory.bots.get(bot.bot_id)).toEqual(bot);
  expect(memory.stuck.size).toBe(0);
});

import { randomUUID } from 'node:crypto';
import { expect, test } from 'vitest';
import { giveUpBot } from '../../lib/bots/crash.ts';
import { aBot, createMemory } from './memory.ts';

test('a bot whose message crashed on every delivery is blocked, and its row says what to do', async () => {
  const bot = aBot({ state: 'registering', lease_owner: 'worker', lease_until: '2026-11-21T12:00:30.000Z' });
  const memory = createMemory({ bots: [bot] });
  await giveUpBot(memory.services, { bot_id: bot.bot_id }, 'register');
  const row = memory.bots.get(bot.bot_id);
  expect(row).toMatchObject({ state: 'blocked', reason: { code: 'handler_crashed' } });
  expect(row?.history.at(-1)).toMatchObject({ step: 'register', state: 'blocked', code: 'handler_crashed' });
  expect(row).not.toHaveProperty('lease_owner');
});

test.each(['registered', 'external', 'blocked', 'failed'] as const)(
  'a crash changes nothing of a bot that is %s',
  async (state) => {
    const bot = aBot({ state, reason: { code: 'not_found', message: 'm', fix: 'f' } });
    const memory = createMemory({ bots: [bot] });
    await giveUpBot(memory.services, { bot_id: bot.bot_id }, 'check');
    expect(memory.bots.get(bot.bot_id)).toEqual(bot);
  },
);

test.each([
  ['that is empty', {}],
  ['that is a list', []],
  ['that is null', null],
  ['of a batch', { batch_id: randomUUID() }],
  ['whose bot id is not a UUID', { bot_id: 'x' }],
  ['of an unknown bot', { bot_id: randomUUID() }],
])('a message %s is given up without a write', async (_name, message) => {
  const memory = createMemory();
  await giveUpBot(memory.services, message, 'check');
  expect(memory.updates).toBe(0);
});

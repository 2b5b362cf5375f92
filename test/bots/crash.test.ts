import { randomUUID } from 'node:crypto';
import { expect, test } from 'vitest';
import { giveUpBot } from '../../lib/bots/crash.ts';
import { buildBot, recordServices } from '../helpers/services.ts';

test('a bot whose message crashed on every delivery is blocked, and its row says what to do', async () => {
  const bot = buildBot({
    state: 'registering',
    lease_owner: 'worker',
    lease_until: '2026-11-21T12:00:30.000Z',
  });
  const { services } = await recordServices({ bots: [bot] });
  await giveUpBot(services, { bot_id: bot.bot_id }, 'register');
  const row = await services.table.readBot(bot.bot_id);
  expect(row).toMatchObject({ state: 'blocked', reason: { code: 'handler_crashed' } });
  expect(row?.history.at(-1)).toMatchObject({ step: 'register', state: 'blocked', code: 'handler_crashed' });
  expect(row).not.toHaveProperty('lease_owner');
});

test.each(['registered', 'external', 'blocked', 'failed'] as const)(
  'a crash changes nothing of a bot that is %s',
  async (state) => {
    const bot = buildBot({ state, reason: { code: 'not_found', message: 'm', fix: 'f' } });
    const { services } = await recordServices({ bots: [bot] });
    await giveUpBot(services, { bot_id: bot.bot_id }, 'check');
    expect(await services.table.readBot(bot.bot_id)).toEqual(bot);
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
  const { services, countUpdates } = await recordServices();
  await giveUpBot(services, message, 'check');
  expect(countUpdates()).toBe(0);
});

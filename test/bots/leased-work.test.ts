/** Work under a lease: another worker may be first, and the work may fail. */
import { expect, test } from 'vitest';
import { requireTime, withLease } from '../../lib/bots/leased-work.ts';
import { buildBot, deadline, type Recorder, recordServices } from '../helpers/services.ts';

const steps = ['register', 'enroll'] as const;

const never = () => Promise.reject(new Error('no work is expected'));

const prepare = async () => {
  const bot = buildBot({ state: 'registering' });
  return { bot, ...(await recordServices({ bots: [bot] })) };
};

const listDelays = ({ messages }: Pick<Recorder, 'messages'>) =>
  messages.map(({ queue, message }) => [queue, message.body.bot_id, message.delaySeconds]);

test.each(steps)('a row that changed before %s had its lease comes back after a second', async (step) => {
  const { bot, services, messages } = await prepare();
  await services.table.updateBot(bot, { line: 99 });
  expect(await withLease(services, step, bot, deadline(services), never)).toBeUndefined();
  expect(listDelays({ messages })).toEqual([[step, bot.bot_id, 1]]);
});

test.each(steps)('a row that another worker has comes back to %s when the lease is over', async (step) => {
  const { bot, services, messages, logLines } = await prepare();
  await withLease(services, step, bot, deadline(services), async ({ leased }) => {
    await withLease(services, step, leased.bot, deadline(services), never);
  });
  expect(listDelays({ messages })).toEqual([[step, bot.bot_id, 91]]);
  expect(logLines.map(({ code }) => code)).toEqual(['lease_held']);
});

test('an unexpected error is thrown on, and the lease is given back', async () => {
  const { bot, services } = await prepare();
  const fail = () => Promise.reject(new RangeError('unexpected'));
  await expect(withLease(services, 'register', bot, deadline(services), fail)).rejects.toThrow(RangeError);
  expect(await services.table.readBot(bot.bot_id)).not.toHaveProperty('lease_owner');
});

test('work without time for one more call comes back after a pause that grows up to two minutes', async () => {
  const { bot, services, messages } = await prepare();
  const untilMs = () => services.now() + 1_000;
  for (let i = 0; i < 8; i += 1) {
    const row = await services.table.readBot(bot.bot_id);
    if (row) await withLease(services, 'register', row, untilMs(), (work) => requireTime(work));
  }
  const delays = messages.map(({ message }) => message.delaySeconds ?? 0);
  expect(delays[0]).toBeGreaterThanOrEqual(5);
  expect(delays[2]).toBeGreaterThan(delays[0] ?? 0);
  expect(delays.at(-1)).toBe(120);
  expect(await services.table.readBot(bot.bot_id)).toMatchObject({ attempts: 8 });
});

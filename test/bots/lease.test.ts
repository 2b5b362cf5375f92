/** Only the worker that holds the lease may write. */
import { expect, test } from 'vitest';
import { LeaseLost, takeLease } from '../../lib/bots/lease.ts';
import type { Bot } from '../../lib/model/bot.ts';
import type { Services } from '../../lib/model/ports.ts';
import { buildBot, recordServices } from '../helpers/services.ts';

const LEASE_MS = 30_000;
const take = (services: Services, bot: Bot) => takeLease(services, bot, services.now() + LEASE_MS);

const leaseBot = async () => {
  const bot = buildBot({ state: 'registering' });
  const { services } = await recordServices({ bots: [bot] });
  const lease = await take(services, bot);
  if (!lease || 'busyMs' in lease) throw new Error('the lease was not taken');
  const readBot = () => services.table.readBot(bot.bot_id);
  return { services, held: lease.held, readBot, late: { ...services, now: () => services.now() + LEASE_MS } };
};

test('another worker gets the time to wait while a lease is held', async () => {
  const { services, held, late } = await leaseBot();
  expect(await take(services, held.bot)).toEqual({ busyMs: LEASE_MS });
  expect(await take(late, held.bot)).toHaveProperty('held');
});

test('one of three workers who read the same row gets the lease', async () => {
  const bot = buildBot({ state: 'registering' });
  const { services } = await recordServices({ bots: [bot] });
  const leases = await Promise.all([1, 2, 3].map(() => take(services, bot)));
  expect(leases.filter((lease) => lease !== undefined)).toHaveLength(1);
});

test('a write under a lease is made on the new row when only a list has changed it', async () => {
  const { services, held, readBot } = await leaseBot();
  await services.table.updateBot(held.bot, { line: 99 });
  await held.write({ pin_set_at: 'now' });
  expect(await readBot()).toMatchObject({ line: 99, pin_set_at: 'now' });
});

test('a worker that has lost its lease writes nothing', async () => {
  const { held, readBot, late } = await leaseBot();
  await take(late, held.bot);
  await expect(held.write({ pin_set_at: 'now' })).rejects.toThrow(LeaseLost);
  await expect(held.reserveIterators(1n, {})).rejects.toThrow(LeaseLost);
  expect(await readBot()).not.toHaveProperty('pin_set_at');
});

test('a write that the row itself forbids is an error, and is not repeated without end', async () => {
  const { services, held } = await leaseBot();
  const ahead = BigInt(services.now() + LEASE_MS) * 1_000_000n;
  await held.write({ pin_iterator: ahead });
  await expect(held.write({ pin_iterator: ahead - 1n })).rejects.toThrow('does not allow');
});

test('a lease that was released can be taken at once', async () => {
  const { services, held, readBot } = await leaseBot();
  await held.release({ pin_set_at: 'now' });
  const row = await readBot();
  expect(row).toMatchObject({ pin_set_at: 'now' });
  expect(row && (await take(services, row))).toHaveProperty('held');
});

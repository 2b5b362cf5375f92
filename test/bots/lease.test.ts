/** The lease: who holds it may write, and nobody else. */
import { expect, test } from 'vitest';
import { LeaseLost, takeLease } from '../../lib/bots/lease.ts';
import { createMemory } from './memory.ts';
import { newRow } from './workbench.ts';

const SECONDS = 30_000;
const leased = async () => {
  const bot = newRow(createMemory().services, { state: 'registering' });
  const memory = createMemory({ bots: [bot] });
  const lease = await takeLease(memory.services, bot, memory.services.now() + SECONDS);
  if (!lease || !('held' in lease)) throw new Error('the lease was not given');
  return { bot, memory, held: lease.held };
};

test('who comes while it is held is told how long to wait; when it has run out it is given', async () => {
  const { memory, held } = await leased();
  const { services } = memory;
  expect(await takeLease(services, held.bot, services.now() + SECONDS)).toEqual({ busyMs: SECONDS });
  const late = { ...services, now: () => services.now() + SECONDS };
  expect(await takeLease(late, held.bot, late.now() + SECONDS)).toHaveProperty('held');
});

test('of two who saw the same row one gets it', async () => {
  const bot = newRow(createMemory().services, { state: 'registering' });
  const { services } = createMemory({ bots: [bot] });
  const leases = await Promise.all([1, 2, 3].map(() => takeLease(services, bot, services.now() + SECONDS)));
  expect(leases.filter((lease) => lease !== undefined)).toHaveLength(1);
});

test('a write goes to the fresh row where only its surroundings changed', async () => {
  const { bot, memory, held } = await leased();
  const { table } = memory.services;
  await table.updateBot(held.bot, { line: 99 });
  await held.write({ pin_set_at: 'now' });
  expect(memory.bots.get(bot.bot_id)).toMatchObject({ line: 99, pin_set_at: 'now' });
});

test('who has lost it writes nothing', async () => {
  const { bot, memory, held } = await leased();
  const { services } = memory;
  const late = { ...services, now: () => services.now() + SECONDS };
  await takeLease(late, held.bot, late.now() + SECONDS);
  await expect(held.write({ pin_set_at: 'now' })).rejects.toThrow(LeaseLost);
  await expect(held.reserveIterators(1n, {})).rejects.toThrow(LeaseLost);
  expect(memory.bots.get(bot.bot_id)).not.toHaveProperty('pin_set_at');
});

test('a write whose own condition does not hold is an error, and no endless round', async () => {
  const { memory, held } = await leased();
  const { services } = memory;
  const ahead = BigInt(services.now() + SECONDS) * 1_000_000n;
  await held.write({ pin_iterator: ahead });
  await expect(held.write({ pin_iterator: ahead - 1n })).rejects.toThrow('does not allow');
});

test('given back, it can be taken at once', async () => {
  const { bot, memory, held } = await leased();
  await held.release({ pin_set_at: 'now' });
  const row = memory.bots.get(bot.bot_id);
  expect(row).toMatchObject({ pin_set_at: 'now' });
  expect(row && (await takeLease(memory.services, row, memory.services.now() + SECONDS))).toHaveProperty(
    'held',
  );
});

/** The short cut of hostile-mixin.fire.ts. */
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { seedOf } from './bad-input.ts';
import {
  anyBotPlan,
  countLost,
  createThrough,
  type HostileWorld,
  listBot,
  liveThrough,
  namedPlans,
  openHostileWorld,
  type Plan,
  paidPlans,
  signInThrough,
  through,
} from './hostile-mixin.ts';

let world: HostileWorld;
let owner = '';
beforeAll(async () => {
  world = await openHostileWorld();
  owner = await listBot(world);
});
afterAll(() => world[Symbol.asyncDispose]());

const seed = seedOf();

/** A few of many, others each time. */
const some = (plans: readonly Plan[], count: number): readonly Plan[] =>
  fc.sample(fc.constantFrom(...plans.filter(({ lie }) => !lie.isSlow)), { numRuns: count, seed });

describe('a Mixin that lies', () => {
  test('to a bot does it no harm', () =>
    through(some(namedPlans(world), 10), (plan) => liveThrough(world, plan)));

  test('about an account at random does a bot no harm', () =>
    fc.assert(
      fc.asyncProperty(anyBotPlan(world), async (plan) => void (await liveThrough(world, plan))),
      { numRuns: 5, seed, endOnFailure: true },
    ));

  test('to who pays for users makes them pay once', () =>
    through(
      some(
        paidPlans(world).filter(({ at }) => at === 'POST /users'),
        6,
      ),
      (plan) => createThrough(world, owner, plan),
    ));

  test('to who signs in is called once', () =>
    through(
      some(
        paidPlans(world).filter(({ at }) => at !== 'POST /users'),
        6,
      ),
      (plan) => signInThrough(world, plan),
    ));

  test('has led nobody elsewhere, and nothing was lost or bound twice', async () => {
    await countLost(world);
    expect(world.elsewhere()).toBe('');
    expect(world.count).toMatchObject({ keys_lost: 0, double_keys: 0, double_paid_calls: 0 });
    expect(world.count.answers).toBeGreaterThan(20);
  });
});

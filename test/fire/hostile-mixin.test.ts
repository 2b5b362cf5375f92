/** The short version of hostile-mixin.fire.ts. */
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readSeed } from './bad-input.ts';
import {
  type AnswerPlan,
  anyBotPlan,
  countLost,
  createBot,
  type HostileStack,
  namedPlans,
  paidPlans,
  runBot,
  runNetworkUser,
  runPlans,
  runSignIn,
  startHostileStack,
} from './hostile-mixin.ts';

let stack: HostileStack;
let owner = '';
beforeAll(async () => {
  stack = await startHostileStack();
  owner = await createBot(stack);
});
afterAll(() => stack[Symbol.asyncDispose]());

const seed = readSeed();

/** Some of many plans, different ones in each run. */
const sample = (plans: readonly AnswerPlan[], count: number): readonly AnswerPlan[] =>
  fc.sample(fc.constantFrom(...plans.filter(({ answer }) => !answer.isSlow)), { numRuns: count, seed });

describe('a hostile Mixin', () => {
  test('false answers do a bot no harm', () =>
    runPlans(sample(namedPlans(stack), 10), (plan) => runBot(stack, plan)));

  test('random false fields of an account do a bot no harm', () =>
    fc.assert(
      fc.asyncProperty(anyBotPlan(stack), async (plan) => void (await runBot(stack, plan))),
      { numRuns: 5, seed, endOnFailure: true },
    ));

  test('false answers to a paid call never repeat it', () =>
    runPlans(
      sample(
        paidPlans(stack).filter(({ at }) => at === 'POST /users'),
        6,
      ),
      (plan) => runNetworkUser(stack, owner, plan),
    ));

  test('false answers to a sign-in never repeat it', () =>
    runPlans(
      sample(
        paidPlans(stack).filter(({ at }) => at !== 'POST /users'),
        6,
      ),
      (plan) => runSignIn(stack, plan),
    ));

  test('nothing was sent to another server, and no key was lost or registered twice', async () => {
    await countLost(stack);
    expect(stack.decoyUrl()).toBe('');
    expect(stack.count).toMatchObject({ keys_lost: 0, double_keys: 0, double_paid_calls: 0 });
    expect(stack.count.answers).toBeGreaterThan(20);
  });
});

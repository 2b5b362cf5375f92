/** Every refusal and every lost answer of Mixin, and the state of the bot after it. */

import { randomUUID } from 'node:crypto';
import { PutSecretValueCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { GetQueueAttributesCommand, ReceiveMessageCommand, SQSClient } from '@aws-sdk/client-sqs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Fault } from '../../emulators/mixin/server.ts';
import { clientConfig } from '../../infra/local/client-config.ts';
import { nameDeadLetterQueue, type queueNames } from '../../lib/model/deployment.ts';
import { readConfig } from '../../lib/runtime/config.ts';
import { startStack, type TestStack, uploadRows, waitFor, waitForState } from '../helpers/stack.ts';

let stack: TestStack;
const faults: Fault[] = [];

beforeAll(async () => {
  stack = await startStack();
});
afterAll(() => stack[Symbol.asyncDispose]());

/** Uploads a new bot with these faults, and waits until it is in one of the states. */
const bring = async (botFaults: readonly Omit<Fault, 'user_id'>[], ...states: string[]) => {
  const { keystore } = await stack.standIn.createUser();
  faults.push(...botFaults.map((fault) => ({ ...fault, user_id: keystore.app_id })));
  stack.standIn.setFaults(faults);
  await uploadRows(stack, [keystore]);
  return waitForState(stack, keystore.app_id, ...states);
};

const requests = (user_id: string, path: string) =>
  stack.standIn.ledger().filter((entry) => entry.user_id === user_id && entry.path === path);

const me = '/safe/me';
const pin = '/pin/update';
const safe = '/safe/users';
const refusal = (path: string, code: number): Omit<Fault, 'user_id'> => ({ name: 'code', path, code });

const cases: readonly [string, readonly Omit<Fault, 'user_id'>[], string, string][] = [
  ['error 401', [refusal(me, 401)], 'blocked', 'session_refused'],
  ['a clock that is off', [{ name: 'clock_skew', path: me, delayMs: 600_000 }], 'waiting', 'clock_skew'],
  ['429 on a read', [{ name: 'rate_limited', path: me }], 'waiting', 'rate_limited'],
  ['429 on /pin/update', [{ name: 'rate_limited', path: pin }], 'waiting', 'rate_limited'],
  ['429 on /safe/users', [{ name: 'rate_limited', path: safe }], 'waiting', 'rate_limited'],
  ['a page from another server', [{ name: 'html', path: me }], 'waiting', 'wrong_address'],
  ['error 404 on a read', [refusal(me, 404)], 'waiting', 'wrong_address'],
  ['500 on a read', [{ name: 'server_error', path: me }], 'waiting', 'server_error'],
  ['no answer on a read', [{ name: 'request_lost', path: me }], 'waiting', 'no_answer'],
  ['an answer to another request', [{ name: 'wrong_request_id', path: me }], 'waiting', 'broken_answer'],
  ['an empty answer', [{ name: 'empty_body', path: me }], 'waiting', 'broken_answer'],
  ['error 403', [refusal(me, 403)], 'blocked', 'forbidden'],
  ['error 10002', [refusal(safe, 10_002)], 'failed', 'invalid_field'],
  ['error 20118', [refusal(pin, 20_118)], 'blocked', 'legacy_pin'],
  ['error 20119', [refusal(safe, 20_119)], 'blocked', 'pin_refused'],
  ['500 on /safe/users', [{ name: 'server_error', path: safe, times: 1 }], 'unsure', 'server_error'],
  ['a lost /pin/update', [{ name: 'request_lost', path: pin, times: 1 }], 'unsure', 'no_answer'],
];

describe.concurrent('failures of Mixin', () => {
  test.each(cases)(
    'a bot is in the right state and has the right reason after %s',
    async (_name, botFaults, state, code) => {
      const bot = await bring(botFaults, state);
      expect(bot.reason?.code).toBe(code);
      expect(bot.reason?.fix).toMatch(/\.$/);
    },
  );

  test('a locked PIN is not used for a day, even when an operator retries', async () => {
    const tip_private_key = 'ab'.repeat(32);
    const account = { tip: { private_key: tip_private_key }, pin_locked: true };
    const { keystore } = await stack.standIn.createUser(account);
    await uploadRows(stack, [{ ...keystore, tip_private_key }]);
    const bot = await waitForState(stack, keystore.app_id, 'waiting');
    expect(bot.reason?.code).toBe('pin_locked');
    expect(Date.parse(bot.wait_until ?? '') - Date.now()).toBeGreaterThan(23 * 3_600_000);
    const { body } = await stack.post(`/batches/${bot.batch_id}/retry`, { states: ['waiting'] });
    expect(body).toEqual({ retried: 0, pin_locked: 1 });
    expect(requests(bot.bot_id, safe)).toHaveLength(1);
  });

  test('a refused PIN is sent once, and once more when the operator says so', async () => {
    const bot = await bring([refusal(safe, 20_119)], 'blocked');
    expect(requests(bot.bot_id, safe)).toHaveLength(1);
    await stack.post(`/batches/${bot.batch_id}/retry`, {});
    await waitFor(async () => requests(bot.bot_id, safe).length === 2);
    const again = await waitForState(stack, bot.bot_id, 'blocked');
    expect(again.public_key).toBe(bot.public_key);
  });

  test('pauses grow, use up no receive count, and end when the failure ends', async () => {
    const bot = await bring([{ name: 'rate_limited', path: me, times: 2 }], 'registered');
    const rateLimits = bot.history.filter(({ code }) => code === 'rate_limited');
    const accepted = bot.history.filter(({ state }) => state === 'registering').slice(0, 1);
    const times = [...rateLimits, ...accepted].map(({ at }) => Date.parse(at));
    const pauses = times.slice(1).map((time, i) => time - (times[i] ?? 0));
    // When another test sets its faults, the count of these starts again, so there may be more than two.
    expect(pauses.length).toBeGreaterThanOrEqual(2);
    expect(pauses).toEqual([...pauses].sort((a, b) => a - b));
    expect(await deadLetters('check')).toBe(0);
  });

  test('the sweep brings back a bot that waits longer than SQS can delay', async () => {
    const bot = await bring([{ name: 'rate_limited', path: me, times: 1 }], 'waiting');
    const past = new Date(Date.now() - 60_000).toISOString();
    const updated = await stack.services.table.updateBot(bot, { wait_until: past, due_at: past });
    expect(updated).toBeDefined();
    await stack.embedded.recheckNow();
    await waitForState(stack, bot.bot_id, 'registered');
  });
});

const sqs = () => {
  const { aws } = readConfig(stack.embedded.environment);
  return new SQSClient(clientConfig(aws.endpoints.sqs ?? ''));
};

const deadLetterUrl = (name: (typeof queueNames)[number]) => {
  const url = readConfig(stack.embedded.environment).queueUrls[name];
  return (
    url.slice(0, url.lastIndexOf('/') + 1) +
    url.slice(url.lastIndexOf('/') + 1).replace(name, nameDeadLetterQueue(name))
  );
};

const deadLetters = async (name: (typeof queueNames)[number]) => {
  const { Attributes } = await sqs().send(
    new GetQueueAttributesCommand({
      QueueUrl: deadLetterUrl(name),
      AttributeNames: ['ApproximateNumberOfMessages'],
    }),
  );
  return Number(Attributes?.ApproximateNumberOfMessages);
};

describe.concurrent('crashes', () => {
  test('a message that crashes its handler goes to the dead-letter queue and blocks its bot; a retry runs the step again', async () => {
    const { batch_id } = await bring([], 'registered');
    const bot_id = randomUUID();
    const { aws, secretPrefix } = readConfig(stack.embedded.environment);
    const secrets = new SecretsManagerClient(clientConfig(aws.endpoints.secretsManager ?? ''));
    await stack.services.vault.storeEnrolment(bot_id, { session_key: 'ab'.repeat(32) });
    const write = (SecretString: string) =>
      secrets.send(
        new PutSecretValueCommand({ SecretId: `${secretPrefix}/enrolment/${bot_id}`, SecretString }),
      );
    await write('{"not":"a session key"}');
    await stack.services.table.createBot({
      bot_id,
      enrolment: { kind: 'sign_in', verification_id: randomUUID() },
      batch_id,
      line: 1,
      row_digest: '',
      state: 'queued',
      state_since: new Date().toISOString(),
      revision: 1,
      attempts: 0,
      history: [],
    });
    await stack.services.queues.send('enroll', [{ body: { bot_id } }]);
    const bot = await waitFor(async () => {
      const row = await stack.services.table.readBot(bot_id);
      return row?.state === 'blocked' ? row : undefined;
    }, 45_000);
    expect(bot.reason?.code).toBe('handler_crashed');
    const { Messages = [] } = await waitFor(async () => {
      const result = await sqs().send(
        new ReceiveMessageCommand({ QueueUrl: deadLetterUrl('enroll'), WaitTimeSeconds: 1 }),
      );
      return result.Messages?.length ? result : undefined;
    }, 30_000);
    expect(JSON.parse(Messages[0]?.Body ?? '')).toEqual({ bot_id });
    await write(JSON.stringify({ session_key: 'ab'.repeat(32) }));
    const { body } = await stack.post(`/batches/${batch_id}/retry`, {});
    expect(body).toMatchObject({ retried: 1 });
    await waitFor(
      async () => (await stack.services.table.readBot(bot_id))?.reason?.code === 'sign_in_missing',
    );
  }, 90_000);
});

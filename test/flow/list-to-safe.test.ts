/** One mixed list from the upload to Safe, and the same list again. */
import { ListObjectsV2Command, S3Client } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { clientConfig } from '../../infra/local/client-config.ts';
import { createDemoList, type DemoList } from '../../infra/local/demo.ts';
import { countKeys, readVault } from '../../infra/local/key-counts.ts';
import { readConfig } from '../../lib/runtime/config.ts';
import { startStack, type TestStack, waitFor } from '../helpers/stack.ts';

const SIZE = 40;

let stack: TestStack;
let demo: DemoList;
let batch_id: string;

interface BatchBody {
  status: string;
  total: number;
  invalid: number;
  duplicates: number;
  accepted: number;
  finished: number;
  not_in_batch: number;
  states: Record<string, number>;
  errors: { line: number; field: string; code: string; fix: string }[];
}

const readBatch = async (id: string) => (await stack.get(`/batches/${id}`)).body as BatchBody;
const countOutcome = (...outcomes: string[]) =>
  demo.outcomes.filter(({ outcome }) => outcomes.includes(outcome)).length;

const waitUntilFinished = (id: string) =>
  waitFor(async () => {
    const batch = await readBatch(id);
    const waiting = countOutcome('waiting');
    return batch.status === 'imported' &&
      batch.finished + (batch.states.waiting ?? 0) === batch.accepted &&
      batch.states.waiting === waiting
      ? batch
      : undefined;
  }, 90_000);

beforeAll(async () => {
  stack = await startStack();
  demo = await createDemoList(stack.standIn, SIZE);
  const { body } = await stack.post('/batches', demo.list);
  batch_id = (body as { batch_id: string }).batch_id;
  await waitUntilFinished(batch_id);
}, 120_000);

afterAll(() => stack[Symbol.asyncDispose]());

describe('a list with every outcome', () => {
  test('a list with every outcome leaves each bot in the state that the demo list expects', async () => {
    for (const { app_id, outcome } of demo.outcomes) {
      if (outcome === 'invalid' || outcome === 'duplicate') continue;
      const bot = await stack.services.table.readBot(app_id);
      expect([app_id, bot?.state]).toEqual([app_id, outcome]);
    }
  });

  test('the counts of a batch agree with its list: rows, invalid rows, duplicates, states', async () => {
    const batch = await readBatch(batch_id);
    expect(batch).toMatchObject({
      total: SIZE,
      invalid: countOutcome('invalid'),
      duplicates: countOutcome('duplicate'),
      not_in_batch: 0,
    });
    expect(batch.states).toMatchObject({
      registered: countOutcome('registered'),
      external: countOutcome('external'),
      blocked: countOutcome('blocked'),
      waiting: countOutcome('waiting'),
    });
  });

  test('a batch reports every row error with line, field and fix, all at once', async () => {
    const { errors } = await readBatch(batch_id);
    const lines = new Set(errors.map(({ line }) => line));
    const wrong = demo.outcomes.flatMap(({ outcome }, row) =>
      outcome === 'invalid' || outcome === 'duplicate' ? [row + 2] : [],
    );
    expect([...lines].sort((a, b) => a - b)).toEqual(wrong);
    for (const error of errors) expect(error.fix).not.toBe('');
  });

  test('no registered key is lost, and no bot has two keys', async () => {
    const ledger = stack.standIn.ledger();
    const counts = await countKeys(stack.embedded.environment, ledger);
    expect(counts.keys_lost).toBe(0);
    expect(counts.keys_bound).toBeGreaterThan(0);
    const keys = new Map<string, Set<string>>();
    for (const { user_id = '', bound } of ledger) {
      if (bound) keys.set(user_id, (keys.get(user_id) ?? new Set()).add(bound.public_key));
    }
    for (const bound of keys.values()) expect(bound.size).toBe(1);
  });

  test('every blocked or waiting bot has a sentence that says what to do', async () => {
    for (const state of ['blocked', 'waiting', 'external']) {
      const { body } = await stack.get(`/batches/${batch_id}/bots?state=${state}`);
      const { bots } = body as { bots: { reason?: { fix: string }; history: { request_id?: string }[] }[] };
      expect(bots.length).toBeGreaterThan(0);
      for (const bot of bots) {
        expect(bot.reason?.fix).toMatch(/\.$/);
        expect(bot.history.at(-1)?.request_id).toMatch(/^[0-9a-f-]{36}$/);
      }
    }
  });

  test('the uploaded list is deleted when its last row is imported', async () => {
    const { aws, uploadsBucket } = readConfig(stack.embedded.environment);
    const s3 = new S3Client({ ...clientConfig(aws.endpoints.s3 ?? ''), forcePathStyle: true });
    const { Contents = [] } = await s3.send(new ListObjectsV2Command({ Bucket: uploadsBucket }));
    expect(Contents.map(({ Key }) => Key)).toEqual([]);
  });
});

describe('secrets', () => {
  test('the vault holds the spend key of every registered bot', async () => {
    const secrets = await readVault(stack.embedded.environment);
    for (const { app_id, outcome } of demo.outcomes) {
      if (outcome === 'registered') expect(secrets.get(app_id)?.spend).toBe(true);
    }
  });
});

describe('the same list again', () => {
  test('the same list again makes no new key and no new POST, and has the same states', async () => {
    const posts = () => stack.standIn.ledger().filter(({ method }) => method === 'POST').length;
    const before = {
      posts: posts(),
      custody: await countKeys(stack.embedded.environment, stack.standIn.ledger()),
    };
    const first = await readBatch(batch_id);
    const { body } = await stack.post('/batches', demo.list);
    const again = (body as { batch_id: string }).batch_id;
    expect(again).not.toBe(batch_id);
    const second = await waitUntilFinished(again);
    expect(second.states).toEqual(first.states);
    expect(posts()).toBe(before.posts);
    expect(await countKeys(stack.embedded.environment, stack.standIn.ledger())).toEqual(before.custody);
    expect((await readBatch(batch_id)).not_in_batch).toBe(first.accepted);
  });

  test('the same Idempotency-Key is answered with the same batch', async () => {
    const headers = { 'idempotency-key': 'a key of the client' };
    const [one, two] = [
      await stack.post('/batches', demo.list, headers),
      await stack.post('/batches', demo.list, headers),
    ];
    expect(two.body).toMatchObject({ batch_id: (one.body as { batch_id: string }).batch_id });
  });
});

/**
 * Thousands of bad inputs: for the parsers of lists, for every route of the HTTP API with and without a socket, and for
 * every queue. ENLIST_FIRE_SEED repeats a run.
 */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import {
  GetQueueUrlCommand,
  ReceiveMessageCommand,
  SendMessageCommand,
  SQSClient,
} from '@aws-sdk/client-sqs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { clientConfig } from '../../infra/local/client-config.ts';
import { functions, nameDeadLetterQueue, queueNames } from '../../lib/model/deployment.ts';
import { readConfig } from '../../lib/runtime/config.ts';
import { waitFor } from '../helpers/stack.ts';
import {
  createControlRows,
  expectFinished,
  findCrashes,
  findLeak,
  readControlRows,
  readRandomLists,
  readSeed,
  sendEvents,
  sendNastyBytes,
  sendNastyLists,
  sendNastyMessages,
  sendRandomMessages,
  sendRandomRequests,
  startTarget,
  type Target,
} from './bad-input.ts';
import { checkList, nastyLists } from './bad-lists.ts';
import { addCounts } from './counts.ts';
import { worstLists } from './worst-lists.ts';

const LISTS = 15_000;
const REQUESTS = 4_000;
const MESSAGES = 1_500;

const seed = readSeed();
const counts = { inputs: 0, unexpected_5xx: 0 };
let target: Target;
let rssBefore = 0;
const rssMb = () => Math.round(process.memoryUsage().rss / 1_048_576);
const print = (text: string) => process.stdout.write(`bad input: ${text}\n`);

beforeAll(async () => {
  target = await startTarget();
  rssBefore = rssMb();
  print(`seed ${seed}`);
}, 120_000);
afterAll(async () => {
  addCounts('bad input', counts);
  await target[Symbol.asyncDispose]();
});

describe('lists', () => {
  test('every named bad list gives its error', async () => {
    for (const [name, [list, code]] of Object.entries(nastyLists)) {
      counts.inputs += 1;
      const codes = await checkList(list);
      if (code !== undefined) expect(codes, name).toEqual([code]);
    }
  });

  test('every randomly damaged list gives errors and quotes no value', () =>
    readRandomLists(counts, LISTS, seed));

  test('every named bad list can be uploaded, and its batch shows what is wrong', () =>
    sendNastyLists(target, counts));
});

describe('the worst lists', () => {
  const run = promisify(execFile);
  const heapMb = Math.floor(0.9 * functions.intake.memoryMb);

  test.each(Object.keys(worstLists))('intake reads the worst list "%s" within its memory', async (name) => {
    counts.inputs += 1;
    const file = new URL('worst-lists.ts', import.meta.url).pathname;
    const { stdout } = await run(process.execPath, [`--max-old-space-size=${heapMb}`, file, name]);
    print(`${name}: ${stdout.trim()}`);
    expect(JSON.parse(stdout).peak_mb).toBeLessThan(functions.intake.memoryMb);
  });
});

describe('requests', () => {
  test('bytes that are not a valid HTTP request are refused', () => sendNastyBytes(target, counts));

  test('bad events of API Gateway are refused', () => sendEvents(target, counts));

  test('random bad requests are refused with a problem document', () =>
    sendRandomRequests(target, counts, REQUESTS, seed));
});

describe('messages', () => {
  test('messages that no step sends harm no bot and no batch', async () => {
    const { services } = target.stack;
    const control = await createControlRows(services);
    const ends = await sendNastyMessages(target, counts, control);
    await sendRandomMessages(target, counts, control, MESSAGES, seed);
    expect(await readControlRows(services, control)).toEqual(control);
    expect(ends).toMatchObject({
      'intake {': 'dead-letter queue',
      'intake {"Records":[]}': 'done',
      'intake {"Event":"s3:TestEvent"}': 'done',
      'check {"Records":[]}': 'dead-letter queue',
      'register null': 'dead-letter queue',
    });
  });

  test('texts that are not JSON end in the dead-letter queues', async () => {
    const { queueUrls, aws } = readConfig(target.stack.embedded.environment);
    const sqs = new SQSClient(clientConfig(aws.endpoints.sqs ?? ''));
    const crashes = findCrashes(target).length;
    for (const queue of queueNames)
      await sqs.send(new SendMessageCommand({ QueueUrl: queueUrls[queue], MessageBody: 'no message' }));
    for (const queue of queueNames) {
      const QueueUrl = queueUrls[queue].replace(/[^/]+$/, nameDeadLetterQueue(queue));
      expect(
        (await sqs.send(new GetQueueUrlCommand({ QueueName: nameDeadLetterQueue(queue) }))).QueueUrl,
      ).toBeDefined();
      const [dead] = await waitFor(async () => {
        const { Messages } = await sqs.send(new ReceiveMessageCommand({ QueueUrl }));
        return Messages?.length === 1 && Messages;
      }, 120_000);
      expect(dead?.Body).toBe('no message');
    }
    sqs.destroy();
    expect(findCrashes(target).length).toBe(crashes + 5 * queueNames.length);
  });
});

describe('the target after all bad input', () => {
  test('every batch is finished, only texts that are not JSON crashed a step, and no value was quoted', async () => {
    await expectFinished(target);
    const crashes = findCrashes(target).filter((line) => !line.includes('"error":"SyntaxError"'));
    expect(crashes).toEqual([]);
    expect(findLeak(target)).toBeUndefined();
    expect(counts.unexpected_5xx).toBe(0);
    const growthMb = rssMb() - rssBefore;
    print(`${counts.inputs} inputs; this process and its emulators grew by ${growthMb} MB`);
    expect(growthMb).toBeLessThan(1_500);
  });
});

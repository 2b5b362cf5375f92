/**
 * Bad input, in thousands: the parsers of lists, every route of the HTTP API over a socket and past it, the messages
 * of every queue. ENLIST_FIRE_SEED repeats a run.
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
import { until } from '../flow/lived-in.ts';
import {
  crashesOf,
  expectRest,
  fireLists,
  fireMessages,
  fireRequests,
  leakOf,
  makeWitnesses,
  openTarget,
  readWitnesses,
  seedOf,
  sendEvents,
  sendNastyBytes,
  sendNastyLists,
  sendNastyMessages,
  type Target,
} from './bad-input.ts';
import { judgeList, nastyLists } from './bad-lists.ts';
import { tally } from './tally.ts';
import { worstLists } from './worst-lists.ts';

const LISTS = 15_000;
const REQUESTS = 4_000;
const MESSAGES = 1_500;

const seed = seedOf();
const tried = { inputs: 0, unexpected_5xx: 0 };
let target: Target;
let rssBefore = 0;
const rssMb = () => Math.round(process.memoryUsage().rss / 1_048_576);
const tell = (text: string) => process.stdout.write(`bad input: ${text}\n`);

beforeAll(async () => {
  target = await openTarget();
  rssBefore = rssMb();
  tell(`seed ${seed}`);
}, 120_000);
afterAll(async () => {
  tally('bad input', tried);
  await target[Symbol.asyncDispose]();
});

describe('lists', () => {
  test('that have a name are told', async () => {
    for (const [name, [list, code]] of Object.entries(nastyLists)) {
      tried.inputs += 1;
      const codes = await judgeList(list);
      if (code !== undefined) expect(codes, name).toEqual([code]);
    }
  });

  test('that are damaged at random are told', () => fireLists(tried, LISTS, seed));

  test('that have a name go through the API, and their batches say what is wrong', () =>
    sendNastyLists(target, tried));
});

describe('the worst lists', () => {
  const run = promisify(execFile);
  const heapMb = Math.floor(0.9 * functions.intake.memoryMb);

  test.each(Object.keys(worstLists))('%s: within the memory of intake', async (name) => {
    tried.inputs += 1;
    const file = new URL('worst-lists.ts', import.meta.url).pathname;
    const { stdout } = await run(process.execPath, [`--max-old-space-size=${heapMb}`, file, name]);
    tell(`${name}: ${stdout.trim()}`);
    expect(JSON.parse(stdout).peak_mb).toBeLessThan(functions.intake.memoryMb);
  });
});

describe('requests', () => {
  test('that are hardly HTTP are refused', () => sendNastyBytes(target, tried));

  test('that no socket lets through are refused', () => sendEvents(target, tried));

  test('that are wrong at random are refused with a problem document', () =>
    fireRequests(target, tried, REQUESTS, seed));
});

describe('messages', () => {
  test('that no step sends harm no bot and no batch', async () => {
    const { services } = target.lived;
    const witnesses = await makeWitnesses(services);
    const ends = await sendNastyMessages(target, tried, witnesses);
    await fireMessages(target, tried, witnesses, MESSAGES, seed);
    expect(await readWitnesses(services, witnesses)).toEqual(witnesses);
    expect(ends).toMatchObject({
      'intake {': 'dead letters',
      'intake {"Records":[]}': 'done',
      'intake {"Event":"s3:TestEvent"}': 'done',
      'check {"Records":[]}': 'dead letters',
      'register null': 'dead letters',
    });
  });

  test('that are no messages lie with the dead letters in the end', async () => {
    const { queueUrls, aws } = readConfig(target.lived.house.environment);
    const sqs = new SQSClient(clientConfig(aws.endpoints.sqs ?? ''));
    const crashes = crashesOf(target).length;
    for (const queue of queueNames)
      await sqs.send(new SendMessageCommand({ QueueUrl: queueUrls[queue], MessageBody: `no message` }));
    for (const queue of queueNames) {
      const QueueUrl = queueUrls[queue].replace(/[^/]+$/, nameDeadLetterQueue(queue));
      expect(
        (await sqs.send(new GetQueueUrlCommand({ QueueName: nameDeadLetterQueue(queue) }))).QueueUrl,
      ).toBeDefined();
      const [dead] = await until(async () => {
        const { Messages } = await sqs.send(new ReceiveMessageCommand({ QueueUrl }));
        return Messages?.length === 1 && Messages;
      }, 120_000);
      expect(dead?.Body).toBe('no message');
    }
    sqs.destroy();
    expect(crashesOf(target).length).toBe(crashes + 5 * queueNames.length);
  });
});

describe('in the end', () => {
  test('every batch that was made rests, nothing crashed but what is no message, nothing was quoted', async () => {
    await expectRest(target);
    const crashes = crashesOf(target).filter((line) => !line.includes('"error":"SyntaxError"'));
    expect(crashes).toEqual([]);
    expect(leakOf(target)).toBeUndefined();
    expect(tried.unexpected_5xx).toBe(0);
    const grown = rssMb() - rssBefore;
    tell(`${tried.inputs} inputs; this process and its emulators grew by ${grown} MB`);
    expect(grown).toBeLessThan(1_500);
  });
});

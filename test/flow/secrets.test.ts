/**
 * No secret leaves Enlist but to the vault and to Mixin: secrets of every kind are planted in lists, requests and
 * prompts, everything that Enlist writes or sends is recorded, and the secrets are searched for in all of it.
 */

import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DynamoDBClient, ScanCommand } from '@aws-sdk/client-dynamodb';
import { GetObjectCommand, ListObjectsV2Command, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { CreateSecretCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { ReceiveMessageCommand, SQSClient } from '@aws-sdk/client-sqs';
import type { Context } from 'aws-lambda';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { createHandler as openAccounts } from '../../functions/accounts.ts';
import { createHandler as openApi } from '../../functions/api.ts';
import { createHandler as openCheck } from '../../functions/check.ts';
import { createHandler as openEnroll } from '../../functions/enroll.ts';
import { createHandler as openIntake } from '../../functions/intake.ts';
import { createHandler as openRegister } from '../../functions/register.ts';
import { clientConfig } from '../../infra/local/client-config.ts';
import { type RouteName, routes } from '../../lib/api/contract.ts';
import { chunkKey } from '../../lib/batches/batch.ts';
import { nameDeadLetterQueue, queueNames, queues } from '../../lib/model/deployment.ts';
import { type Environment, readConfig } from '../../lib/runtime/config.ts';
import { enlistProcess, jsonLines, type ProcessOptions, printedTexts } from '../cli/run.ts';
import { sendOpenly } from '../emulators/mixin/client.ts';
import { createJsonError, type DecideTreatment, startAwsProxy } from '../fire/aws-proxy.ts';
import { startStack, type TestStack, waitFor } from '../helpers/stack.ts';
import { type Canaries, createCanaries } from './canaries.ts';

const seed = () => randomBytes(32).toString('hex');
/** The planted secrets. No number that a program writes begins with a zero. */
const planted = {
  pin: '073046',
  wrongPin: '084153',
  longPin: '0730461',
  wrongCode: '09182736',
  badCode: `0x${seed()}`,
  phone: '+8613800009407',
  listedPhone: '+8613800009408',
  token: `fcm:${seed()}-${seed()}`,
  captcha: `03AFcWeA${seed()}`,
  clientSecret: seed(),
  brokenKey: seed(),
  headerKey: seed(),
  nestedKey: seed(),
  fieldKey: seed(),
  idKey: seed(),
  vaultKey: seed(),
  chunkKey: seed(),
  bodyKey: seed(),
} as const;
const digits = ['073046', '084153', '0730461', '09182736'];

/** What the functions sent to the queues and to the table. */
const awsRequests: string[] = [];
/** Everything else that was written or sent, by place. */
const recorded = new Map<string, string[]>();
const record = (where: string, ...texts: readonly string[]) =>
  void recorded.set(where, [...(recorded.get(where) ?? []), ...texts]);

let folder: string;
let stack: TestStack;
let direct: Environment;
const stops: (() => Promise<void>)[] = [];
const codes: string[] = [];

const watchTraffic = async (environment: Environment): Promise<Environment> => {
  direct = environment;
  const proxied: Record<string, string | undefined> = { ...environment };
  const record: DecideTreatment = (_action, body) => void awsRequests.push(body.toString());
  for (const name of ['DYNAMODB', 'SQS']) {
    const target = environment[`AWS_ENDPOINT_URL_${name}`] ?? '';
    const { url, stop } = await startAwsProxy(target, record);
    stops.push(stop);
    proxied[`AWS_ENDPOINT_URL_${name}`] = url;
    for (const [key, value] of Object.entries(environment))
      if (name === 'SQS' && key.endsWith('_QUEUE_URL')) proxied[key] = value?.replace(target, url);
  }
  return proxied;
};

/** Asks for codes until one begins with a zero, as one in ten does. */
const askForCode = async (prefix: string) => {
  for (let i = 0; ; i += 1) {
    const phone = `${prefix}${String(i).padStart(3, '0')}`;
    await sendOpenly(stack.standIn, '/verifications', { phone, purpose: 'SESSION', platform: 'Android' });
    const code = stack.standIn.verifications().find((it) => it.phone === phone);
    if (code?.code.startsWith('0') && code.code !== '0000') {
      codes.push(code.code);
      return code;
    }
  }
};

const newAccount = async (...user: Parameters<TestStack['standIn']['createUser']>) =>
  ({ ...(await stack.standIn.createUser(...user)).keystore }) as Record<string, string>;

/** Valid rows of every kind, and some that have a secret where it does not belong. */
const makeRows = async () => {
  const tip = seed();
  const spend = seed();
  const fresh = await newAccount();
  const owner = await newAccount();
  const { id, code } = await askForCode('+86138000094');
  const other = await askForCode('+86138000095');
  const right = [
    fresh,
    owner,
    { ...(await newAccount({ tip: { private_key: tip } })), tip_private_key: tip },
    {
      ...(await newAccount({ tip: { private_key: spend }, safe: { private_key: spend } })),
      spend_private_key: spend,
    },
    { ...(await newAccount()), spend_key: seed(), client_secret: planted.clientSecret },
    { ...(await newAccount({ six_digit_pin: planted.pin })), pin: planted.pin },
    { ...(await newAccount({ six_digit_pin: planted.pin })), pin: planted.wrongPin },
    { ...(await newAccount({ session_key: 'rsa', six_digit_pin: planted.pin } as never)), pin: planted.pin },
    { verification_id: id, code, session_key: 'rsa', notification_token: planted.token },
    { verification_id: other.id, code: planted.wrongCode, notification_token: planted.token },
    { owner: owner.app_id, full_name: 'Wallet 1' },
  ];
  const wrong = [
    { ...(await newAccount()), app_id: planted.idKey },
    { ...(await newAccount()), session_id: { nested: planted.nestedKey } },
    { ...(await newAccount()), session_private_key: planted.nestedKey.slice(1) },
    { ...(await newAccount()), server_public_key: `-----BEGIN RSA PRIVATE KEY-----${planted.brokenKey}` },
    { ...(await newAccount()), pin: planted.longPin },
    { ...(await newAccount()), [planted.fieldKey]: planted.fieldKey },
    { ...(await newAccount()), spend_private_key: seed(), spend_key: seed() },
    { verification_id: planted.listedPhone, code: planted.wrongCode },
    { verification_id: randomUUID(), code: planted.badCode, notification_token: ` ${planted.token} x` },
    { owner: planted.idKey, full_name: '' },
    planted.nestedKey,
    [planted.nestedKey],
    fresh,
  ];
  return { rows: [...right, ...wrong], fresh };
};

const cli = (args: readonly string[], options: ProcessOptions = {}) =>
  enlistProcess([...args, '--api', stack.embedded.url], {
    ...options,
    onStart: (child) => {
      options.onStart?.(child);
      if (process.platform !== 'linux') return;
      for (const file of ['cmdline', 'environ'])
        record('argv and environment', readFileSync(`/proc/${child.pid}/${file}`, 'latin1'));
    },
  });

const waitUntilFinished = (batch_id: string) =>
  waitFor(async () => {
    const { body } = await stack.get(`/batches/${batch_id}`);
    const { status, states } = body as { status: string; states: Record<string, number> };
    const { queued = 0, enrolling = 0, registering = 0, unsure = 0 } = states;
    return status === 'imported' && queued + enrolling + registering + unsure === 0;
  });

/** Uploads the lists with the real command. */
const upload = async () => {
  const { rows, fresh } = await makeRows();
  const writeListFile = async (name: string, text: string) => {
    const path = join(folder, name);
    await writeFile(path, text);
    return path;
  };
  const broken = JSON.stringify([{ ...fresh, session_private_key: planted.brokenKey }]);
  const list = await writeListFile('list.json', JSON.stringify(rows));
  const cutOff = await writeListFile('cut.json', broken.slice(0, -3));
  const line = `${Object.values(fresh).join(',')},${planted.headerKey}\n`;
  const headless = await writeListFile('headless.csv', line.repeat(2));
  const [main, refusal] = await Promise.all([
    cli(['upload', list, '--json']),
    cli(['upload', cutOff, headless, '--watch', '--json']),
  ]);
  const batch_id = String(jsonLines(main)[0]?.batch_id);
  expect(refusal.code).toBe(3);
  await waitFor(
    async () => ((await stack.get(`/batches/${batch_id}`)).body as { status: string }).status === 'planned',
  );
  await stack.post(`/batches/${batch_id}/confirm`, { accept_cost_usd: 1 });
  await waitUntilFinished(batch_id);
  return { batch_id, user_id: String(fresh.app_id) };
};

/** Signs in with the real command, with a captcha, a token, a wrong code and the right one. */
const signIn = async () => {
  const { standIn } = stack;
  standIn.preparePhone({ phone: planted.phone, captcha: 'recaptcha', captcha_answer: planted.captcha });
  const captcha = join(folder, 'captcha.json');
  const token = join(folder, 'token');
  await writeFile(captcha, JSON.stringify({ g_recaptcha_response: planted.captcha }));
  await writeFile(token, planted.token);
  const ask = ['sign-in', '--captcha-file', captcha, '--json'];
  const request = await cli(ask, { stdin: `${planted.phone}\n` });
  const id = String(jsonLines(request)[0]?.verification_id);
  const code = standIn.verifications().find((it) => it.phone === planted.phone)?.code ?? '';
  const go = ['sign-in', '--verification', id, '--notification-token-file', token];
  expect((await cli(go, { stdin: planted.wrongCode })).code).toBe(2);
  const signInOutput = await cli([...go, '--json'], { stdin: code });
  expect(signInOutput.code).toBe(0);
  return { code, answer: signInOutput.stdout };
};

/** Runs the commands that only read, with text and with JSON as output. */
const look = (batch_id: string, user_id: string) =>
  Promise.all([
    cli(['status', batch_id]),
    cli(['errors', batch_id]),
    cli(['bots', batch_id, '--all', '--json']),
    cli(['show', user_id]),
    cli(['retry', batch_id, '--state', 'blocked', '--json']),
    cli(['doctor', '--json']),
  ]);

/** Sends valid and invalid requests to every route. */
const askAllRoutes = async (batch_id: string, user_id: string) => {
  const ask = async (name: RouteName, id: string, body?: string, headers = {}) => {
    const { method, path } = routes[name];
    const url = stack.embedded.url + path.replace(/\{\w+\}/, encodeURIComponent(id));
    const type = { 'content-type': 'application/json' };
    const answer = await fetch(url, {
      method,
      ...(method === 'POST' && { body: body ?? '{}', headers: { ...type, ...headers } }),
    });
    record('API answers', `${answer.status} ${JSON.stringify([...answer.headers])} ${await answer.text()}`);
  };
  const bad = JSON.stringify({
    [planted.bodyKey]: planted.bodyKey,
    code: planted.badCode,
    phone: `x${planted.phone}`,
  });
  for (const name of Object.keys(routes) as RouteName[]) {
    await ask(name, name === 'readBot' ? user_id : batch_id, name === 'createBatch' ? '[]' : undefined);
    await ask(name, batch_id, bad, { 'idempotency-key': planted.bodyKey });
    await ask(name, batch_id, `{"${planted.bodyKey}`);
    await ask(name, planted.bodyKey, bad, { 'content-type': planted.bodyKey });
  }
  const queries = [`?cursor=${planted.bodyKey}`, `?state=${planted.bodyKey}`, `?limit=${planted.bodyKey}`];
  for (const query of queries)
    for (const of of ['bots', 'errors']) {
      const answer = await fetch(`${stack.embedded.url}/batches/${batch_id}/${of}${query}`);
      record('API answers', await answer.text());
    }
};

const context = {
  awsRequestId: randomUUID(),
  getRemainingTimeInMillis: () => 25_000,
} as unknown as Context;

const createEvent = (body: unknown) => ({
  Records: [
    {
      messageId: randomUUID(),
      receiptHandle: 'none',
      body: typeof body === 'string' ? body : JSON.stringify(body),
      attributes: { ApproximateReceiveCount: String(queues.check.maxReceiveCount) },
    },
  ],
});

/** A Secrets Manager and an S3 that quote requests in their errors, as the validation of AWS does. */
const startQuotingAws = async (): Promise<Environment> => {
  const quote: DecideTreatment = (action, body) =>
    action === 'GetSecretValue' || action === 'GET'
      ? undefined
      : createJsonError(
          '1.1',
          'ValidationException',
          `Value '${body.toString()}' failed to satisfy constraint`,
        );
  const target = (name: string) => direct[`AWS_ENDPOINT_URL_${name}`] ?? '';
  const secrets = await startAwsProxy(target('SECRETS_MANAGER'), quote);
  const s3 = await startAwsProxy(target('S3'), (action, body) =>
    action === 'GET'
      ? undefined
      : {
          instead: {
            status: 400,
            type: 'application/xml',
            body: `<Error><Code>InvalidArgument</Code><Message>${body}</Message></Error>`,
          },
        },
  );
  stops.push(secrets.stop, s3.stop);
  return {
    ...stack.embedded.environment,
    AWS_ENDPOINT_URL_SECRETS_MANAGER: secrets.url,
    AWS_ENDPOINT_URL_S3: s3.url,
  };
};

/** Makes each function crash on a secret: in broken JSON, in another shape, or in an error of AWS that quotes it. */
const crash = async (batch_id: string) => {
  const { aws, secretPrefix, uploadsBucket } = readConfig(stack.embedded.environment);
  const write = (line: string) => record('logs of crashes', line);
  const environment = await startQuotingAws();
  const secrets = new SecretsManagerClient(clientConfig(direct.AWS_ENDPOINT_URL_SECRETS_MANAGER ?? ''));
  const s3 = new S3Client({ ...clientConfig(aws.endpoints.s3 ?? ''), forcePathStyle: true });
  const { table } = stack.services;
  const row = (user_id: string, state: 'queued' | 'registering', more = {}) =>
    table.createBot({
      bot_id: user_id,
      batch_id,
      line: 1,
      row_digest: '',
      state,
      state_since: '',
      revision: 1,
      attempts: 0,
      history: [],
      ...more,
    });

  const brokenSecrets = [
    `{"session_private_key":"${planted.vaultKey}`,
    JSON.stringify({ [planted.vaultKey]: planted.vaultKey }),
    planted.vaultKey,
  ];
  for (const SecretString of brokenSecrets) {
    const [bot, enrolment] = [randomUUID(), randomUUID()];
    await secrets.send(new CreateSecretCommand({ Name: `${secretPrefix}/${bot}`, SecretString }));
    await secrets.send(
      new CreateSecretCommand({ Name: `${secretPrefix}/enrolment/${enrolment}`, SecretString }),
    );
    await row(bot, 'queued');
    await row(enrolment, 'queued', { enrolment: { kind: 'sign_in', verification_id: randomUUID() } });
    await openCheck(environment, write)(createEvent({ bot_id: bot }), context);
    await openEnroll(environment, write)(createEvent({ bot_id: enrolment }), context);
  }
  // The vault refuses the new key and quotes it.
  const keystore = await newAccount();
  await stack.services.vault.storeKeystore(keystore as never);
  await row(String(keystore.app_id), 'registering');
  await openRegister(environment, write)(createEvent({ bot_id: keystore.app_id }), context);
  // A chunk of a list that is cut off, has another shape, or is valid and refused by the vault.
  const parts = [
    `[{"row":1,"keystore":{"session_private_key":"${planted.chunkKey}`,
    JSON.stringify([
      {
        row: 1,
        line: 1,
        row_digest: planted.chunkKey,
        keystore: { ...keystore, spend_private_key: [planted.chunkKey] },
      },
    ]),
    JSON.stringify([
      {
        row: 1,
        line: 1,
        row_digest: '',
        keystore: { ...keystore, app_id: randomUUID(), spend_private_key: planted.chunkKey },
      },
    ]),
  ];
  for (const Body of parts) {
    const { batch_id: id } = (await stack.post('/batches', [{}])).body as { batch_id: string };
    await s3.send(new PutObjectCommand({ Bucket: uploadsBucket, Key: chunkKey(id, id, 1), Body }));
    await openIntake(environment, write)(createEvent({ batch_id: id, chunk: 1 }), context);
    record('API answers', (await stack.get(`/batches/${id}`)).text);
    await stack.services.uploads.remove([chunkKey(id, id, 1)]);
  }
  await openIntake(environment, write)(createEvent(`{"batch_id":"${planted.bodyKey}`), context);
  await openIntake(environment, write)(createEvent({ batch_id: planted.bodyKey }), context);
  // Requests to an AWS that quotes them.
  const request = (name: 'createBatch' | 'signIn', body: string) => ({
    version: '2.0',
    routeKey: '$default',
    rawPath: routes[name].path.replace(/\{\w+\}/, randomUUID()),
    rawQueryString: '',
    headers: { 'content-type': 'application/json' },
    isBase64Encoded: false,
    requestContext: { http: { method: 'POST', path: routes[name].path.replace(/\{\w+\}/, randomUUID()) } },
    body,
  });
  const list = JSON.stringify([{ session_private_key: planted.bodyKey }]);
  const answers = [
    await openApi(environment, write)(request('createBatch', list), context),
    await openAccounts(environment, write)(
      request('signIn', JSON.stringify({ code: planted.wrongCode, notification_token: planted.token })),
      context,
    ),
  ];
  expect(answers).toMatchObject([{ statusCode: 500 }, { statusCode: 500 }]);
  record('API answers', JSON.stringify(answers));
  secrets.destroy();
  s3.destroy();
};

const filesBelow = async (path: string): Promise<string[]> =>
  (await readdir(path, { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));

/** Every secret that the vault ever stored, of bots and of enrolments. */
const readVaultSecrets = async (): Promise<string[]> => {
  const secrets: string[] = [];
  const secretNames =
    /^(session_private_key|spend_private_key|spend_key|tip_private_key|private_key|session_key)$/;
  const walk = (name: string, value: unknown): void => {
    if (typeof value === 'string' && secretNames.test(name)) secrets.push(value);
    else if (typeof value === 'string' && value.startsWith('{')) walkJson(value);
    else if (typeof value === 'object' && value !== null)
      for (const [key, inner] of Object.entries(value)) walk(key, inner);
  };
  const walkJson = (text: string): void => {
    try {
      walk('', JSON.parse(text));
    } catch {
      // This JSON was planted broken.
    }
  };
  for (const file of await filesBelow(join(folder, 'data', 'secrets')))
    walkJson(await readFile(file, 'utf8'));
  return secrets;
};

/** Records what is stored or logged at the end. */
const recordStorage = async (signInAnswer: string) => {
  const { aws, table, uploadsBucket: Bucket, queueUrls } = readConfig(stack.embedded.environment);
  const dynamodb = new DynamoDBClient(clientConfig(aws.endpoints.dynamodb ?? ''));
  const { Items = [] } = await dynamodb.send(new ScanCommand({ TableName: table }));
  record('items of the table', ...Items.map((item) => JSON.stringify(item)));
  const sqs = new SQSClient(clientConfig(aws.endpoints.sqs ?? ''));
  for (const name of queueNames) {
    const QueueUrl = queueUrls[name].replace(/[^/]+$/, nameDeadLetterQueue(name));
    const { Messages = [] } = await sqs.send(
      new ReceiveMessageCommand({ QueueUrl, MaxNumberOfMessages: 10 }),
    );
    record('dead letters', ...Messages.map((message) => JSON.stringify(message)));
  }
  const s3 = new S3Client({ ...clientConfig(aws.endpoints.s3 ?? ''), forcePathStyle: true });
  const listObjects = async () => (await s3.send(new ListObjectsV2Command({ Bucket }))).Contents ?? [];
  // A list is removed a moment after its batch is imported; what is still there after this time stays.
  await waitFor(async () => (await listObjects()).length === 0, 20_000).catch(() => undefined);
  for (const { Key } of await listObjects()) {
    const { Body } = await s3.send(new GetObjectCommand({ Bucket, Key }));
    record('objects of the bucket', `${Key} ${await Body?.transformToString()}`);
  }
  record('messages to queues and writes to the table', ...awsRequests);
  record('logs', ...stack.logs);
  // A sign-in answers with Mixin's data of the account, to the person who gave its phone and its code.
  record(
    'output of the commands',
    ...printedTexts.map((text) => (text === signInAnswer ? text.replace(planted.phone, '') : text)),
  );
  record('the ledger of Mixin', JSON.stringify(stack.standIn.ledger()));
  record('argv and environment', JSON.stringify([process.env, process.argv, stack.embedded.environment]));
  for (const client of [dynamodb, sqs, s3]) client.destroy();
};

/** Replaces bytes that are not text by letters, so that no digits among them look like a PIN. */
const printable = (bytes: string) => bytes.replace(/[^\x20-\x7e]/g, 'x');

let canaries: Canaries;
let generated: string[] = [];

beforeAll(async () => {
  for (const name of ['log', 'info', 'warn', 'error', 'debug'] as const)
    vi.spyOn(console, name).mockImplementation((...words: unknown[]) =>
      record('console', words.map(String).join(' ')),
    );
  folder = await mkdtemp(join(tmpdir(), 'enlist-secrets-'));
  stack = await startStack({ dataDir: join(folder, 'data'), wrapEndpoints: watchTraffic });
  const [{ batch_id, user_id }, signInResult] = await Promise.all([upload(), signIn()]);
  await Promise.all([look(batch_id, user_id), askAllRoutes(batch_id, user_id), crash(batch_id)]);
  await recordStorage(signInResult.answer);
  generated = await readVaultSecrets();
  await stack.embedded.stop();
  for (const file of await filesBelow(join(folder, 'data')))
    if (!file.includes('/data/secrets/'))
      record('files of the data folder', file, printable(await readFile(file, 'latin1')));
  const { pin: _, wrongPin: __, longPin: ___, wrongCode: ____, ...long } = planted;
  const uploadedRows = JSON.parse(await readFile(join(folder, 'list.json'), 'utf8')) as Record<
    string,
    unknown
  >[];
  const inRows = uploadedRows.flatMap(({ session_private_key, private_key, spend_key }) =>
    [session_private_key, private_key, spend_key].filter((it) => typeof it === 'string'),
  );
  const rightCodes = [...codes, signInResult.code].filter((code) => code.startsWith('0'));
  canaries = createCanaries([...Object.values(long), ...generated, ...inRows], [...digits, ...rightCodes]);
}, 300_000);

afterAll(async () => {
  vi.restoreAllMocks();
  await stack?.[Symbol.asyncDispose]();
  for (const stop of stops) await stop();
  await rm(folder, { recursive: true, force: true });
});

describe('places without secrets', () => {
  test.each([
    ['messages to queues and writes to the table', 100],
    ['items of the table', 20],
    ['dead letters', 0],
    ['logs', 30],
    ['logs of crashes', 10],
    ['console', 0],
    ['API answers', 40],
    ['output of the commands', 18],
    ['argv and environment', 3],
    ['the ledger of Mixin', 1],
    ['files of the data folder', 3],
  ])('no secret is in %s', (where, least) => {
    const texts = recorded.get(where) ?? [];
    expect(texts.length).toBeGreaterThanOrEqual(least);
    expect(texts.flatMap((text) => canaries.find(text))).toEqual([]);
  });

  test('nothing of an imported list is left in the bucket', () => {
    expect(recorded.get('objects of the bucket') ?? []).toEqual([]);
  });
});

test('the search has the planted secrets and every generated key, and finds them', () => {
  expect(generated.length).toBeGreaterThan(20);
  expect(canaries.count).toBeGreaterThan(40);
  const digest = createHash('sha256').update(planted.token).digest('hex');
  expect(canaries.find(`${planted.vaultKey} ${digest}`)).toHaveLength(1);
});

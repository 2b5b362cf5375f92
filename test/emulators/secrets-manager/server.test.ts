import { execFile, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import {
  CreateSecretCommand,
  type CreateSecretCommandInput,
  DeleteSecretCommand,
  type DeleteSecretCommandInput,
  DescribeSecretCommand,
  GetSecretValueCommand,
  type GetSecretValueCommandInput,
  ListSecretsCommand,
  type ListSecretsCommandInput,
  PutSecretValueCommand,
  type PutSecretValueCommandInput,
  RestoreSecretCommand,
  SecretsManagerClient,
  UpdateSecretVersionStageCommand,
} from '@aws-sdk/client-secrets-manager';
import { describe, expect, onTestFinished, test } from 'vitest';
import {
  type SecretsManagerOptions,
  startSecretsManager,
} from '../../../emulators/secrets-manager/server.ts';
import { clientConfig } from '../../../infra/local/client-config.ts';
import { errorName, temporaryFolder } from '../../infra/local/helpers.ts';

const NAME = 'enlist/0e0d4a43-6e4c-4d4b-9b6b-3f7c0a1b2c3d';
const DAY_MS = 86_400_000;
const v1 = '11111111-1111-4111-8111-111111111111';
const v2 = '22222222-2222-4222-8222-222222222222';
const v3 = '33333333-3333-4333-8333-333333333333';

const start = async (options: SecretsManagerOptions = {}) => {
  const server = await startSecretsManager(options);
  const client = new SecretsManagerClient({ ...clientConfig(server.url), maxAttempts: 1 });
  const stop = async () => {
    client.destroy();
    await server.stop().catch(() => undefined);
  };
  onTestFinished(stop);
  type WithoutId<T> = Omit<T, 'SecretId'>;
  return {
    url: server.url,
    stop,
    create: (input: Partial<CreateSecretCommandInput> = {}) =>
      client.send(
        new CreateSecretCommand({ Name: NAME, ClientRequestToken: v1, SecretString: 'one', ...input }),
      ),
    get: (input: WithoutId<GetSecretValueCommandInput> = {}) =>
      client.send(new GetSecretValueCommand({ SecretId: NAME, ...input })),
    put: (input: WithoutId<PutSecretValueCommandInput>) =>
      client.send(new PutSecretValueCommand({ SecretId: NAME, ...input })),
    describe: () => client.send(new DescribeSecretCommand({ SecretId: NAME })),
    move: (VersionStage: string, RemoveFromVersionId?: string, MoveToVersionId?: string) =>
      client.send(
        new UpdateSecretVersionStageCommand({
          SecretId: NAME,
          VersionStage,
          RemoveFromVersionId,
          MoveToVersionId,
        }),
      ),
    list: (input: ListSecretsCommandInput = {}) => client.send(new ListSecretsCommand(input)),
    remove: (input: WithoutId<DeleteSecretCommandInput> = {}) =>
      client.send(new DeleteSecretCommand({ SecretId: NAME, ...input })),
    restore: () => client.send(new RestoreSecretCommand({ SecretId: NAME })),
    client,
  };
};

const stages = async (secrets: Awaited<ReturnType<typeof start>>) =>
  (await secrets.describe()).VersionIdsToStages;

describe('CreateSecret', () => {
  test('CreateSecret makes a first version that is AWSCURRENT and has the token as its id', async () => {
    const secrets = await start();
    const secret = await secrets.create();
    expect(secret).toMatchObject({ Name: NAME, VersionId: v1 });
    expect(secret.ARN).toMatch(/^arn:aws:secretsmanager:us-east-1:000000000000:secret:enlist\/.*-\w{6}$/);
    expect(await secrets.get()).toMatchObject({
      ARN: secret.ARN,
      SecretString: 'one',
      VersionId: v1,
      VersionStages: ['AWSCURRENT'],
    });
  });

  test('a secret is found by its ARN too, with and without the random ending', async () => {
    const { client, create } = await start();
    const { ARN = '' } = await create();
    for (const SecretId of [ARN, ARN.slice(0, -7)])
      expect((await client.send(new GetSecretValueCommand({ SecretId }))).SecretString).toBe('one');
  });

  test('CreateSecret of an existing name succeeds only as a repetition of the same call', async () => {
    const secrets = await start();
    const secret = await secrets.create();
    expect((await secrets.create()).ARN).toBe(secret.ARN);
    expect(await errorName(secrets.create({ SecretString: 'two' }))).toBe('ResourceExistsException');
    expect(await errorName(secrets.create({ ClientRequestToken: v2 }))).toBe('ResourceExistsException');
    expect(await stages(secrets)).toEqual({ [v1]: ['AWSCURRENT'] });
    expect((await secrets.get()).SecretString).toBe('one');
  });

  test('of many CreateSecret calls at once with different values exactly one succeeds', async () => {
    const secrets = await start();
    const values = Array.from({ length: 20 }, (_, index) => `value ${index}`);
    const outcomes = await Promise.all(
      values.map((SecretString) => errorName(secrets.create({ SecretString }))),
    );
    expect(outcomes.filter((outcome) => outcome === 'ResourceExistsException')).toHaveLength(19);
    const winner = outcomes.findIndex((outcome) => outcome !== 'ResourceExistsException');
    expect((await secrets.get()).SecretString).toBe(values[winner]);
  });

  test('CreateSecret needs no value: a later PutSecretValue can add it', async () => {
    const secrets = await start();
    const secret = await secrets.create({ SecretString: undefined });
    expect(secret.VersionId).toBeUndefined();
    expect(await errorName(secrets.get())).toBe('ResourceNotFoundException');
    await secrets.put({ SecretString: 'first', ClientRequestToken: v2, VersionStages: ['OWN'] });
    expect(await stages(secrets)).toEqual({ [v2]: ['AWSCURRENT', 'OWN'] });
  });

  test.each([
    ['a token of 31 characters', { ClientRequestToken: 'x'.repeat(31) }, 'InvalidParameterException'],
    ['a token of 65 characters', { ClientRequestToken: 'x'.repeat(65) }, 'InvalidParameterException'],
    ['two values', { SecretBinary: Buffer.from('b') }, 'InvalidParameterException'],
    ['a name with a blank', { Name: 'no such name' }, 'ValidationException'],
    ['an empty value', { SecretString: '' }, 'ValidationException'],
    ['65,537 bytes', { SecretString: `${'x'.repeat(65_535)}ä` }, 'ValidationException'],
  ])('CreateSecret refuses %s', async (_what, input, name) => {
    const secrets = await start();
    expect(await errorName(secrets.create(input))).toBe(name);
    expect(await errorName(secrets.get())).toBe('ResourceNotFoundException');
  });

  test('a value can be binary, and 65,536 bytes long', async () => {
    const secrets = await start();
    await secrets.create({ SecretString: 'x'.repeat(65_536) });
    expect((await secrets.get()).SecretString).toHaveLength(65_536);
    await secrets.put({ SecretBinary: Uint8Array.of(0, 255, 7), ClientRequestToken: v2 });
    expect((await secrets.get()).SecretBinary).toEqual(Uint8Array.of(0, 255, 7));
  });
});

describe('PutSecretValue', () => {
  test('PutSecretValue moves AWSCURRENT, and the version before becomes AWSPREVIOUS', async () => {
    const secrets = await start();
    await secrets.create();
    const put = await secrets.put({ SecretString: 'two', ClientRequestToken: v2 });
    expect(put).toMatchObject({ VersionId: v2, VersionStages: ['AWSCURRENT'] });
    expect(await stages(secrets)).toEqual({ [v1]: ['AWSPREVIOUS'], [v2]: ['AWSCURRENT'] });
    expect((await secrets.get()).SecretString).toBe('two');
    expect((await secrets.get({ VersionStage: 'AWSPREVIOUS' })).SecretString).toBe('one');
  });

  test('PutSecretValue with the same token and value succeeds and makes no version', async () => {
    const secrets = await start();
    await secrets.create();
    await secrets.put({ SecretString: 'two', ClientRequestToken: v2 });
    const again = await secrets.put({
      SecretString: 'one',
      ClientRequestToken: v1,
      VersionStages: ['AWSCURRENT'],
    });
    expect(again).toMatchObject({ VersionId: v1, VersionStages: ['AWSPREVIOUS'] });
    expect(await stages(secrets)).toEqual({ [v1]: ['AWSPREVIOUS'], [v2]: ['AWSCURRENT'] });
  });

  test('PutSecretValue with the same token and another value fails and changes nothing', async () => {
    const secrets = await start();
    await secrets.create();
    const name = await errorName(secrets.put({ SecretString: 'other', ClientRequestToken: v1 }));
    expect(name).toBe('ResourceExistsException');
    const binary = await errorName(secrets.put({ SecretBinary: Buffer.from('one'), ClientRequestToken: v1 }));
    expect(binary).toBe('ResourceExistsException');
    expect((await secrets.get()).SecretString).toBe('one');
  });

  test('of many PutSecretValue calls at once with one token exactly one succeeds, and all read the same', async () => {
    const dataDir = await temporaryFolder();
    const secrets = await start({ dataDir });
    await secrets.create();
    const outcomes = await Promise.all(
      Array.from({ length: 20 }, (_, index) =>
        errorName(secrets.put({ SecretString: `key ${index}`, ClientRequestToken: v2 })),
      ),
    );
    const winners = outcomes.flatMap((outcome, index) => (typeof outcome === 'object' ? [index] : []));
    expect(winners).toHaveLength(1);
    expect(outcomes.filter((outcome) => outcome === 'ResourceExistsException')).toHaveLength(19);
    expect((await secrets.get({ VersionId: v2 })).SecretString).toBe(`key ${winners[0]}`);
  });

  test('a version without a label is deleted, but not one that has a label of its own', async () => {
    const secrets = await start();
    await secrets.create();
    await secrets.put({ SecretString: 'key', ClientRequestToken: v2, VersionStages: ['AWSCURRENT', 'KEY'] });
    await secrets.put({ SecretString: 'three', ClientRequestToken: v3 });
    await secrets.put({ SecretString: 'four', ClientRequestToken: randomUUID() });
    expect(await errorName(secrets.get({ VersionId: v1 }))).toBe('ResourceNotFoundException');
    expect((await secrets.get({ VersionId: v2 })).SecretString).toBe('key');
    expect((await secrets.get({ VersionStage: 'KEY' })).VersionId).toBe(v2);
  });

  test('a setting keeps versions without a label, up to 100 versions', async () => {
    const secrets = await start({ pruneUnlabelled: false });
    await secrets.create();
    for (let count = 1; count < 100; count += 1)
      await secrets.put({ SecretString: `${count}`, ClientRequestToken: randomUUID() });
    expect((await secrets.get({ VersionId: v1 })).SecretString).toBe('one');
    const name = await errorName(secrets.put({ SecretString: 'more', ClientRequestToken: randomUUID() }));
    expect(name).toBe('LimitExceededException');
  });

  test('a secret has at most 20 labels', async () => {
    const secrets = await start();
    await secrets.create();
    const labels = (count: number) => Array.from({ length: count }, (_, index) => `LABEL${index}`);
    const put = (count: number) =>
      errorName(secrets.put({ SecretString: 'two', ClientRequestToken: v2, VersionStages: labels(count) }));
    expect(await put(20)).toBe('LimitExceededException');
    expect(await put(19)).toMatchObject({ resolved: { VersionId: v2 } });
  });

  test('PutSecretValue needs a secret and a value', async () => {
    const secrets = await start();
    const absent = await errorName(secrets.put({ SecretString: 'two' }));
    expect(absent).toBe('ResourceNotFoundException');
    await secrets.create();
    expect(await errorName(secrets.put({}))).toBe('InvalidRequestException');
  });
});

describe('GetSecretValue', () => {
  test('GetSecretValue refuses an id and a label that do not belong together', async () => {
    const secrets = await start();
    await secrets.create();
    await secrets.put({ SecretString: 'two', ClientRequestToken: v2 });
    const both = { VersionId: v1, VersionStage: 'AWSPREVIOUS' };
    expect((await secrets.get(both)).SecretString).toBe('one');
    expect(await errorName(secrets.get({ ...both, VersionStage: 'AWSCURRENT' }))).toBe(
      'InvalidRequestException',
    );
    expect(await errorName(secrets.get({ VersionStage: 'NONE' }))).toBe('ResourceNotFoundException');
    expect(await errorName(secrets.get({ VersionId: v3 }))).toBe('ResourceNotFoundException');
  });
});

describe('UpdateSecretVersionStage', () => {
  const twoVersions = async () => {
    const secrets = await start();
    await secrets.create();
    await secrets.put({ SecretString: 'two', ClientRequestToken: v2, VersionStages: ['NEXT'] });
    return secrets;
  };

  test('UpdateSecretVersionStage adds, moves and removes a label', async () => {
    const secrets = await twoVersions();
    await secrets.move('MINE', undefined, v1);
    expect((await stages(secrets))?.[v1]).toEqual(['AWSCURRENT', 'MINE']);
    await secrets.move('MINE', v1, v2);
    expect(await stages(secrets)).toEqual({ [v1]: ['AWSCURRENT'], [v2]: ['NEXT', 'MINE'] });
    await secrets.move('MINE', v2);
    expect((await stages(secrets))?.[v2]).toEqual(['NEXT']);
  });

  test('moving AWSCURRENT makes the version before AWSPREVIOUS', async () => {
    const secrets = await twoVersions();
    await secrets.move('AWSCURRENT', v1, v2);
    expect(await stages(secrets)).toEqual({ [v1]: ['AWSPREVIOUS'], [v2]: ['NEXT', 'AWSCURRENT'] });
    expect((await secrets.get()).SecretString).toBe('two');
  });

  test.each([
    [
      'moves a label without naming the version that has it',
      ['AWSCURRENT', undefined, v2],
      'InvalidParameterException',
    ],
    [
      'removes a label from a version that does not have it',
      ['NEXT', v1, undefined],
      'InvalidParameterException',
    ],
    ['removes AWSCURRENT from all versions', ['AWSCURRENT', v1, undefined], 'InvalidParameterException'],
    ['names no version', ['NEXT', undefined, undefined], 'InvalidParameterException'],
    ['names a version that does not exist', ['NEXT', v2, v3], 'ResourceNotFoundException'],
  ] as const)('UpdateSecretVersionStage refuses a call that %s', async (_what, [stage, from, to], name) => {
    const secrets = await twoVersions();
    expect(await errorName(secrets.move(stage, from, to))).toBe(name);
    expect(await stages(secrets)).toEqual({ [v1]: ['AWSCURRENT'], [v2]: ['NEXT'] });
  });

  test('a version that loses its last label is deleted', async () => {
    const secrets = await twoVersions();
    await secrets.move('NEXT', v2);
    expect(await errorName(secrets.get({ VersionId: v2 }))).toBe('ResourceNotFoundException');
  });
});

describe('DeleteSecret and RestoreSecret', () => {
  test('a scheduled secret can be described and restored, but not read, written or created', async () => {
    let now = 1_000_000;
    const secrets = await start({ now: () => now });
    await secrets.create();
    const { DeletionDate } = await secrets.remove({ RecoveryWindowInDays: 7 });
    expect(DeletionDate?.getTime()).toBe(now + 7 * DAY_MS);
    expect((await secrets.describe()).DeletedDate).toEqual(DeletionDate);
    now += 7 * DAY_MS - 1;
    for (const attempt of [
      secrets.get(),
      secrets.put({ SecretString: 'two' }),
      secrets.create(),
      secrets.move('NEXT', undefined, v1),
      secrets.remove(),
    ])
      expect(await errorName(attempt)).toBe('InvalidRequestException');
    await secrets.restore();
    expect((await secrets.get()).SecretString).toBe('one');
    expect((await secrets.describe()).DeletedDate).toBeUndefined();
  });

  test('after the recovery window a secret is deleted for good, also after a restart', async () => {
    let now = 1_000_000;
    const options = { dataDir: await temporaryFolder(), now: () => now };
    const secrets = await start(options);
    await secrets.create();
    await secrets.remove();
    now += 30 * DAY_MS;
    expect(await errorName(secrets.restore())).toBe('ResourceNotFoundException');
    await secrets.stop();
    await start(options);
    expect(await readdir(options.dataDir)).toEqual([]);
  });

  test('a forced DeleteSecret deletes at once, scheduled or not, and the name is free', async () => {
    const dataDir = await temporaryFolder();
    const secrets = await start({ dataDir });
    await secrets.create();
    await secrets.remove();
    await secrets.remove({ ForceDeleteWithoutRecovery: true });
    expect(await errorName(secrets.describe())).toBe('ResourceNotFoundException');
    expect(await readdir(dataDir)).toEqual([]);
    await secrets.create({ SecretString: 'anew' });
    expect((await secrets.get()).SecretString).toBe('anew');
  });

  test.each([
    [{ RecoveryWindowInDays: 6 }, 'InvalidParameterException'],
    [{ RecoveryWindowInDays: 31 }, 'InvalidParameterException'],
    [{ RecoveryWindowInDays: 7, ForceDeleteWithoutRecovery: true }, 'InvalidParameterException'],
  ])('DeleteSecret refuses the parameters %j', async (input, name) => {
    const secrets = await start();
    await secrets.create();
    expect(await errorName(secrets.remove(input))).toBe(name);
    expect((await secrets.get()).SecretString).toBe('one');
  });
});

describe('ListSecrets', () => {
  test('ListSecrets returns every secret once, page by page, without those scheduled for deletion', async () => {
    const secrets = await start();
    const names = ['enlist/b', 'enlist/a', 'enlist/c', 'other/d'];
    for (const Name of names) await secrets.create({ Name });
    await secrets.create();
    await secrets.remove();
    const listedNames: (string | undefined)[] = [];
    let NextToken: string | undefined;
    do {
      const page = await secrets.list({ MaxResults: 3, NextToken });
      listedNames.push(...(page.SecretList ?? []).map((secret) => secret.Name));
      NextToken = page.NextToken;
    } while (NextToken);
    expect(listedNames.toSorted()).toEqual(names.toSorted());
    const all = await secrets.list({
      IncludePlannedDeletion: true,
      Filters: [{ Key: 'name', Values: ['enlist/'] }],
    });
    expect(all.SecretList?.map((secret) => secret.Name).toSorted()).toEqual(
      [...names.slice(0, 3), NAME].toSorted(),
    );
    expect(JSON.stringify(all)).not.toContain('"one"');
    expect(await errorName(secrets.list({ NextToken: 'garbage' }))).toBe('InvalidNextTokenException');
  });
});

describe('the files', () => {
  test('secrets survive a restart', async () => {
    const dataDir = await temporaryFolder();
    const first = await start({ dataDir });
    await first.create();
    await first.put({ SecretString: 'key', ClientRequestToken: v2, VersionStages: ['AWSCURRENT', 'KEY'] });
    const before = await first.describe();
    await first.stop();
    const second = await start({ dataDir });
    expect(await second.describe()).toEqual({ ...before, $metadata: expect.anything() });
    expect((await second.get({ VersionStage: 'KEY' })).SecretString).toBe('key');
    const name = await errorName(second.put({ SecretString: 'other', ClientRequestToken: v2 }));
    expect(name).toBe('ResourceExistsException');
  });

  test('a file is written before the answer, whole, and only its owner can read it', async () => {
    const dataDir = join(await temporaryFolder(), 'secrets');
    const secrets = await start({ dataDir });
    await secrets.create();
    const names = await readdir(dataDir);
    expect(names).toEqual([`${NAME.replace('/', '%2f')}.json`]);
    const file = join(dataDir, names[0] ?? '');
    expect(await readFile(file, 'utf8')).toContain('"one"');
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    expect((await stat(dataDir)).mode & 0o777).toBe(0o700);
  });

  test('names that differ only in case, or are longer than a file name, have different files', async () => {
    const dataDir = await temporaryFolder();
    const secrets = await start({ dataDir });
    const names = ['enlist/A', 'enlist/a', 'x'.repeat(512), `${'x'.repeat(511)}y`];
    for (const Name of names) await secrets.create({ Name, SecretString: Name });
    const files = await readdir(dataDir);
    expect(new Set(files.map((file) => file.toLowerCase())).size).toBe(4);
    await secrets.stop();
    const again = await start({ dataDir });
    expect((await again.list()).SecretList).toHaveLength(4);
  });

  test('unfinished files of a crash are removed; a damaged file stops the start and is named', async () => {
    const dataDir = await temporaryFolder();
    const first = await start({ dataDir });
    await first.create();
    await first.stop();
    await writeFile(join(dataDir, 'half.tmp'), '{"name":');
    const second = await start({ dataDir });
    expect(await readdir(dataDir)).toHaveLength(1);
    await second.stop();
    await writeFile(join(dataDir, 'damaged.json'), '{"spend_private_key":"canary');
    const refusal = await start({ dataDir }).catch((error: Error) => error.message);
    expect(refusal).toContain('damaged.json');
    expect(refusal).not.toContain('canary');
  });

  test('a call fails when its file cannot be written, and the secret does not exist', async () => {
    const dataDir = await temporaryFolder();
    const secrets = await start({ dataDir });
    const { rm } = await import('node:fs/promises');
    await rm(dataDir, { recursive: true });
    expect(await errorName(secrets.create())).toBe('InternalServiceError');
    expect(await errorName(secrets.get())).toBe('ResourceNotFoundException');
  });
});

describe('the endpoint', () => {
  test('writes above the limit are throttled, reads never are', async () => {
    let now = 0;
    const secrets = await start({ writesPerSecond: 2, now: () => now });
    await secrets.create();
    await secrets.put({ SecretString: 'two' });
    expect(await errorName(secrets.put({ SecretString: 'three' }))).toBe('ThrottlingException');
    expect((await secrets.get()).SecretString).toBe('two');
    now += 500;
    await secrets.put({ SecretString: 'three' });
  });

  test('requests of web pages and unknown calls are refused', async () => {
    const { url } = await start();
    const call = (headers: Record<string, string>) =>
      fetch(url, {
        method: 'POST',
        body: '{}',
        headers: {
          authorization: 'AWS4-HMAC-SHA256 x',
          'x-amz-target': 'secretsmanager.ListSecrets',
          ...headers,
        },
      });
    expect((await call({})).status).toBe(200);
    expect((await call({ origin: 'https://evil.example' })).status).toBe(403);
    const unknown = await call({ 'x-amz-target': 'secretsmanager.toString' });
    expect(await unknown.json()).toEqual({ __type: 'UnknownOperationException' });
    const withoutSignature = await call({ authorization: '' });
    expect(await withoutSignature.json()).toMatchObject({ __type: 'MissingAuthenticationTokenException' });
  });
});

test('the command explains its options within 80 columns, and refuses unknown ones', async () => {
  const run = (...args: string[]) =>
    promisify(execFile)(process.execPath, ['emulators/secrets-manager/main.ts', ...args]);
  const { stdout } = await run('--help');
  for (const option of ['--port', '--data']) expect(stdout).toContain(option);
  expect(Math.max(...stdout.split('\n').map((line) => line.length))).toBeLessThanOrEqual(80);
  for (const args of [['--port', 'x'], ['--colour']])
    await expect(run(...args)).rejects.toMatchObject({ code: 2 });
});

test('the command runs on 127.0.0.1 and stores its secrets in the given folder', async () => {
  const dataDir = await temporaryFolder();
  const args = ['emulators/secrets-manager/main.ts', '--port', '0', '--data', dataDir];
  const child = spawn(process.execPath, args);
  onTestFinished(() => void child.kill('SIGKILL'));
  const [output] = (await once(child.stdout, 'data')) as [Buffer];
  const url = /http:\/\/127\.0\.0\.1:\d+/.exec(output.toString())?.[0] ?? '';
  const client = new SecretsManagerClient(clientConfig(url));
  onTestFinished(() => client.destroy());
  await client.send(new CreateSecretCommand({ Name: 'bot', SecretString: 'hello' }));
  expect(await readdir(dataDir)).toEqual(['bot.json']);
  child.kill('SIGTERM');
  expect(await once(child, 'exit')).toEqual([0, null]);
});

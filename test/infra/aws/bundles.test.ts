/** The code of the synthesised stack, as it is deployed. */
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type MixinStandIn, startMixinStandIn } from '../../../emulators/mixin/server.ts';
import { bundleFunctions } from '../../../infra/aws/bundle.ts';
import { synthesiseCode } from '../../../infra/aws/synth.ts';
import { type EmbeddedStack, startEmbeddedStack } from '../../../infra/local/embedded-stack.ts';
import { countKeys } from '../../../infra/local/key-counts.ts';
import { type FunctionName, functionNames } from '../../../lib/model/deployment.ts';
import { waitFor } from '../../helpers/stack.ts';

/** Bytes of code, without its source map. The S3 client makes two of them larger. */
const limits: Readonly<Record<FunctionName, number>> = {
  api: 640_000,
  accounts: 490_000,
  intake: 670_000,
  enroll: 445_000,
  check: 440_000,
  register: 445_000,
  recheck: 420_000,
};

const folder = mkdtempSync(join(tmpdir(), 'enlist-bundled-'));
let files: Readonly<Record<FunctionName, string>>;
beforeAll(async () => {
  files = await synthesiseCode(folder);
}, 180_000);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const readBundle = (name: FunctionName) => readFileSync(files[name], 'utf8');

describe.each(functionNames)('the bundle of %s', (name) => {
  test('a bundle stays below its size limit', () => {
    expect(statSync(files[name]).size).toBeLessThan(limits[name]);
  });

  test('a bundle exports a handler for Lambda and createHandler for the embedded stack', () => {
    const bundle = createRequire(import.meta.url)(files[name]);
    expect([typeof bundle.handler, typeof bundle.createHandler]).toEqual(['function', 'function']);
  });

  test('a bundle has a source map with no path of this machine', () => {
    const map = JSON.parse(readFileSync(`${files[name]}.map`, 'utf8')) as { sources: string[] };
    expect(map.sources).toContain(`../../functions/${name}.ts`);
    expect(map.sources.filter((source) => source.startsWith('/'))).toEqual([]);
    expect(readBundle(name)).toMatch(/\/\/# sourceMappingURL=index\.mjs\.map\s*$/);
  });
});

describe('AWS clients', () => {
  const bundlesWith = (text: string) => functionNames.filter((name) => readBundle(name).includes(text));

  test('AWS clients are bundled only for functions that may use them', () => {
    expect(bundlesWith('"GetSecretValue"')).toEqual(['accounts', 'intake', 'enroll', 'check', 'register']);
    expect(bundlesWith('"PutObject"')).toEqual(['api', 'intake']);
  });

  test('an AWS client that is not bundled throws an error that names it', () => {
    expect(readBundle('api')).toContain('api has no @aws-sdk/client-secrets-manager');
    expect(readBundle('recheck')).toContain('recheck has no @aws-sdk/client-s3');
    expect(readBundle('accounts')).toContain('accounts has no @aws-sdk/client-s3');
    expect(readBundle('enroll')).toContain('enroll has no @aws-sdk/client-s3');
  });
});

test('bundles of the same sources have the same bytes, wherever they are written', async () => {
  const again = await bundleFunctions(join(folder, 'again'));
  for (const name of functionNames) {
    for (const file of ['index.mjs', 'index.mjs.map']) {
      expect(
        readFileSync(join(again[name].folder, file)).equals(readFileSync(join(dirname(files[name]), file))),
      ).toBe(true);
    }
  }
}, 30_000);

describe('the bundles in the embedded stack', () => {
  let standIn: MixinStandIn;
  let embedded: EmbeddedStack;
  const logs: string[] = [];
  beforeAll(async () => {
    standIn = await startMixinStandIn({});
    embedded = await startEmbeddedStack({
      mixinUrl: standIn.url,
      bundles: files,
      log: (line) => void logs.push(line),
    });
  });
  afterAll(async () => {
    await embedded?.stop();
    await standIn?.stop();
  });

  test('the bundles process a list to its end, with every registered key in the vault', async () => {
    const users = await Promise.all([
      ...Array.from({ length: 12 }, () => standIn.createUser({})),
      standIn.createUser({ tip: 'foreign', safe: 'foreign' }),
      standIn.createUser({ session: 'revoked' }),
    ]);
    const answer = await fetch(`${embedded.url}/batches`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify([...users.map(({ keystore }) => keystore), { app_id: 'no bot' }]),
    });
    expect(answer.status).toBe(202);
    const { batch_id } = (await answer.json()) as { batch_id: string };
    const batch = await waitFor(async () => {
      const read = (await (await fetch(`${embedded.url}/batches/${batch_id}`)).json()) as Record<
        string,
        unknown
      >;
      return read.status === 'imported' && read.finished === users.length && read;
    }, 50_000);
    expect(batch).toMatchObject({ invalid: 1, states: { registered: 12, external: 1, blocked: 1 } });
    const counts = await countKeys(embedded.environment, standIn.ledger());
    expect(counts).toEqual({ keys_stored: 12, keys_bound: 12, keys_lost: 0 });
    expect(logs.filter((line) => line.includes('"level":"error"'))).toEqual([]);
  }, 25_000);
});

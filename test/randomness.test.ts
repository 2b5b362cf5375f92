/** Keys are made of random bytes of the system, and each bot has different ones. */
import { randomBytes } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { generateSeed } from '../lib/bots/key-forms.ts';
import { generateSessionKey } from '../lib/bots/sign-in.ts';
import type { Services } from '../lib/model/ports.ts';
import { readConfig } from '../lib/runtime/config.ts';
import { connect } from '../lib/runtime/connect.ts';

const url = 'http://127.0.0.1:9';
const { services } = connect(
  readConfig({
    ENLIST_TABLE: 'enlist',
    ENLIST_UPLOADS_BUCKET: 'uploads',
    ENLIST_SECRET_PREFIX: 'enlist',
    ENLIST_INTAKE_QUEUE_URL: `${url}/1/intake`,
    ENLIST_ENROLL_QUEUE_URL: `${url}/1/enroll`,
    ENLIST_CHECK_QUEUE_URL: `${url}/1/check`,
    ENLIST_REGISTER_QUEUE_URL: `${url}/1/register`,
    MIXIN_URL: url,
    AWS_REGION: 'us-east-1',
  }),
  () => undefined,
);

test('the functions use randomBytes of node:crypto', () => {
  expect(services.randomBytes).toBe(randomBytes);
});

test('a seed is 32 random bytes, requested for this seed alone', () => {
  const lengths: number[] = [];
  const bytes = new Uint8Array(32).map((_, i) => 7 * i);
  const counting = {
    randomBytes: (length: number) => {
      lengths.push(length);
      return bytes;
    },
  } as unknown as Services;
  expect(generateSeed(counting)).toBe(Buffer.from(bytes).toString('hex'));
  expect(lengths).toEqual([32]);
});

test('of a thousand keys no two are equal, and every bit is sometimes 0 and sometimes 1', async () => {
  const keys = await Promise.all(
    Array.from({ length: 500 }, async () => [
      generateSeed(services),
      await generateSessionKey(services, 'ed25519'),
    ]),
  );
  const seeds = keys.flat().map((hex) => Buffer.from(hex, 'hex'));
  expect(new Set(seeds.map((seed) => seed.toString('hex'))).size).toBe(1_000);
  for (let byte = 0; byte < 32; byte += 1) {
    const ones = seeds.reduce((bits, seed) => bits | (seed[byte] ?? 0), 0);
    const zeros = seeds.reduce((bits, seed) => bits & (seed[byte] ?? 0), 255);
    expect([byte, ones, zeros]).toEqual([byte, 255, 0]);
  }
});

test('no two RSA keys are equal', async () => {
  const pems = await Promise.all([1, 2].map(() => generateSessionKey(services, 'rsa')));
  expect(pems[0]).toMatch(/^-----BEGIN RSA PRIVATE KEY-----\n/);
  expect(new Set(pems).size).toBe(2);
});

const root = fileURLToPath(new URL('..', import.meta.url));
const sources = ['lib', 'functions'].flatMap((folder) =>
  readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => [join(folder, name), readFileSync(join(root, folder, name), 'utf8')] as const),
);

test('no source uses Math.random, and only two files use the system’s random numbers', () => {
  expect(sources.length).toBeGreaterThan(60);
  const using = (pattern: RegExp) =>
    sources.filter(([, text]) => pattern.test(text.replace(/\/\*[\s\S]*?\*\//g, ''))).map(([name]) => name);
  expect(using(/Math\s*\.\s*random|Math\s*\[/)).toEqual([]);
  expect(using(/\b(getRandomValues|webcrypto|randomFill\w*|randomInt|randomSecretKey|uuidv4)\b/)).toEqual([]);
  expect(
    using(/import \{[^}]*\b(randomBytes|randomUUID|generateKey\w*)\b[^}]*\} from 'node:crypto'/).sort(),
  ).toEqual(['lib/mixin/rsa.ts', 'lib/runtime/connect.ts']);
});

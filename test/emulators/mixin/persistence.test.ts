import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { CreatedUser, MixinStandIn } from '../../../emulators/mixin/server.ts';
import { connect, createClock, findAccount, newClient, newKey, sendOpenly, start } from './client.ts';
import {
  connectSignedIn,
  lastCode,
  newRsaSession,
  newSession,
  PHONE,
  requestCode,
  signInFields,
} from './phone-client.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'mixin-stand-in-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

test('accounts, ledger, iterators, used tokens, locks and fault counts survive a restart', async () => {
  const clock = createClock();
  const options = { now: clock.now, dataDir: join(folder, 'data') };
  const [tip, spend] = [newKey(), newKey()];
  const first = await start(options);
  const client = await newClient(first, clock);
  const lockedClient = await newClient(first, clock, { tip: 'foreign' });
  await client.setTip(tip);
  await client.register(spend, tip, { iterator: 2n ** 63n });
  for (let tries = 0; tries < 5; tries += 1) await lockedClient.verifyTip(newKey());
  const jti = '11111111-2222-4333-8444-555555555555';
  const token = client.token('GET', '/me', '', jti);
  expect((await client.send('GET', '/me', undefined, { token, request_id: jti })).data.has_safe).toBe(true);
  first.setFaults([{ name: 'rate_limited', path: '/safe/me', times: 2 }]);
  expect((await client.me()).error.code).toBe(429);
  const [accounts, ledger] = [first.accounts(), first.ledger()];
  expect(ledger).toHaveLength(9);
  await first.stop();

  const second = await start(options);
  expect(second.accounts()).toEqual(accounts);
  expect(second.ledger()).toEqual(ledger);
  const again = connect(second, client.keystore, clock);
  expect((await again.send('GET', '/me', undefined, { token, request_id: jti })).error.code).toBe(401);
  expect((await again.verifyTip(tip, { iterator: 2n ** 63n })).error.code).toBe(20119);
  expect((await again.verifyTip(tip, { iterator: 2n ** 63n + 1n })).data.has_pin).toBe(true);
  expect((await connect(second, lockedClient.keystore, clock).verifyTip(tip)).error.code).toBe(429);
  expect((await again.me()).error.code).toBe(429);
  expect((await again.me()).data).toMatchObject({ has_safe: true, spend_public_key: spend.public_key });
});

test('phones, codes and the counts of wrong codes survive a restart', async () => {
  const clock = createClock();
  const options = { now: clock.now, dataDir: join(folder, 'data') };
  const session = newSession();
  const first = await start(options);
  first.preparePhone({ phone: PHONE, captcha: 'hcaptcha', account: { session_key: 'rsa' } });
  await requestCode(first, { hcaptcha_response: 'solved' });
  const { id, code } = lastCode(first);
  const wrong = String((Number(code) + 1) % 10_000).padStart(4, '0');
  const attempt = (standIn: MixinStandIn, attemptedCode: string) =>
    sendOpenly(standIn, `/verifications/${id}`, signInFields(attemptedCode, session.secret));
  for (let tries = 0; tries < 4; tries += 1) await attempt(first, wrong);
  const [accounts, verifications] = [first.accounts(), first.verifications()];
  await first.stop();

  const second = await start(options);
  expect(second.accounts()).toEqual(accounts);
  expect(second.verifications()).toEqual(verifications);
  expect((await requestCode(second, { hcaptcha_response: 'solved' })).error.code).toBe(20129);
  expect((await requestCode(second)).error.code).toBe(10005);
  const { data } = await attempt(second, code);
  expect(data.user_id).toBe(accounts[0]?.user_id);
  await second.stop();

  const third = await start(options);
  const person = connectSignedIn(third, session, data, clock);
  expect((await person.me()).data.phone).toBe(PHONE);
  expect((await attempt(third, code)).error.code).toBe(20114);
});

test('the private key of an RSA session is not stored', async () => {
  const dataDir = join(folder, 'data');
  const standIn = await start({ dataDir });
  const { pem } = newRsaSession();
  await standIn.createUser({ session_key: 'rsa', session_private_key: pem });
  await standIn.stop();
  const database = readFileSync(join(dataDir, 'mixin.sqlite'), 'latin1');
  expect(database).toContain('"session_kind":"rsa"');
  // The first lines are the modulus, which is public.
  for (const line of pem.split('\n').slice(4, -2)) expect(database).not.toContain(line);
});

test('only the owner can read the folder and its files', async () => {
  const dataDir = join(folder, 'data');
  const standIn = await start({ dataDir });
  await standIn.createUser();
  expect(statSync(dataDir).mode & 0o777).toBe(0o700);
  for (const file of readdirSync(dataDir)) expect(statSync(join(dataDir, file)).mode & 0o777).toBe(0o600);
  expect(readdirSync(dataDir)).toContain('mixin.sqlite');
});

test('a folder and a file that others could read are closed to them', async () => {
  mkdirSync(join(folder, 'data'));
  chmodSync(join(folder, 'data'), 0o755);
  const file = join(folder, 'data', 'mixin.sqlite');
  writeFileSync(file, '');
  chmodSync(file, 0o644);
  await start({ dataDir: join(folder, 'data') });
  expect(statSync(join(folder, 'data')).mode & 0o777).toBe(0o700);
  expect(statSync(file).mode & 0o777).toBe(0o600);
});

test('a second server on the same folder is refused', async () => {
  const dataDir = join(folder, 'data');
  await start({ dataDir });
  await expect(start({ dataDir })).rejects.toThrow('locked');
});

test('a folder that another version wrote is refused and not changed', async () => {
  const dataDir = join(folder, 'data');
  await (await start({ dataDir })).stop();
  const file = join(dataDir, 'mixin.sqlite');
  const other = new DatabaseSync(file);
  other.exec('PRAGMA user_version = 2; PRAGMA wal_checkpoint(TRUNCATE);');
  other.close();
  const before = readFileSync(file);
  await expect(start({ dataDir })).rejects.toThrow('was not written by this version of the stand-in');
  expect(readFileSync(file).equals(before)).toBe(true);
});

const launch = async (...args: string[]) => {
  const child = spawn(process.execPath, ['emulators/mixin/main.ts', '--port', '0', ...args]);
  let output = '';
  child.stdout.setEncoding('utf8');
  for await (const text of child.stdout) {
    output += String(text);
    if (output.includes('/_stand-in/faults')) break;
  }
  return { child, output, url: /http:\/\/127\.0\.0\.1:\d+/.exec(output)?.[0] ?? '' };
};

test('the command prints its URL and answers; a key that it set survives kill -9', async () => {
  const dataDir = join(folder, 'data');
  const clock = { now: Date.now };
  const tip = newKey();
  const first = await launch('--data', dataDir);
  const response = await fetch(`${first.url}/_stand-in/users`, { method: 'POST', body: '{}' });
  const { keystore } = (await response.json()) as CreatedUser;
  const at = (url: string) => connect({ url } as MixinStandIn, keystore, clock);
  try {
    expect((await at(first.url).setTip(tip)).data.has_pin).toBe(true);
  } finally {
    first.child.kill('SIGKILL');
    await once(first.child, 'exit');
  }

  const second = await launch('--data', dataDir, '--signature', 'documented');
  try {
    const { data } = await at(second.url).me();
    expect(data.tip_key_base64).toBe(Buffer.from(tip.public_key, 'hex').toString('base64url'));
    const bound = await fetch(`${second.url}/_stand-in/ledger?bound=true`);
    expect(await bound.json()).toMatchObject([{ bound: { kind: 'tip', public_key: tip.public_key } }]);
    const reply = await at(second.url).register(newKey(), tip);
    expect(reply.error.extra?.field).toBe('signature');
  } finally {
    second.child.kill('SIGTERM');
    const [code] = (await once(second.child, 'exit')) as [number | null];
    expect(code).toBe(0);
  }
});

test('neither the ledger nor the accounts hold a secret or a ciphertext', async () => {
  const clock = createClock();
  const dataDir = join(folder, 'data');
  const standIn = await start({ now: clock.now, dataDir });
  const [tip, spend] = [newKey(), newKey()];
  const client = await newClient(standIn, clock);
  await client.setTip(tip);
  const registration = client.registration(spend, tip);
  await client.send('POST', '/safe/users', registration);
  expect(findAccount(standIn, client).has_safe).toBe(true);
  const visible = JSON.stringify([standIn.ledger(), standIn.accounts()]);
  for (const secret of [
    tip.private_key,
    spend.private_key,
    client.keystore.session_private_key,
    registration.pin_base64,
    registration.signature,
  ])
    expect(visible).not.toContain(secret);
  await standIn.stop();
  const database = readFileSync(join(dataDir, 'mixin.sqlite'), 'latin1');
  expect(database).toContain(spend.public_key);
  expect(database).not.toContain(spend.private_key);
  expect(database).not.toContain(registration.pin_base64);
});

/** Accounts that Enlist creates or signs in, with the real API and the stand-in for Mixin. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startStack, type TestStack } from '../helpers/stack.ts';
import { enlist, jsonLines, printedTexts, type RunOptions } from './run.ts';

let stack: TestStack;
let folder: string;
let owner: string;
let owners: string;

const enlistHere = (args: readonly string[], options?: RunOptions) =>
  enlist([...args, '--api', stack.embedded.url], options);
const findId = (text: string) => /[0-9a-f-]{36}/.exec(text)?.[0] ?? '';
const countCreatedUsers = () => stack.standIn.ledger().filter(({ path }) => path === '/users').length;

beforeAll(async () => {
  stack = await startStack();
  folder = await mkdtemp(join(tmpdir(), 'enlist-accounts-'));
  const { keystore } = await stack.standIn.createUser();
  owner = keystore.app_id;
  await writeFile(join(folder, 'owner.json'), JSON.stringify([keystore]));
  await writeFile(join(folder, 'wrong.csv'), 'app_id\nno-uuid\n');
  const result = await enlistHere(['upload', folder, '--watch', '--json']);
  owners = String(jsonLines(result)[0]?.batch_id);
  expect(result.code).toBe(3);
});

afterAll(async () => {
  await stack?.[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

test('enlist upload makes one batch of a folder, and row errors name the file', async () => {
  const [errors, status] = await Promise.all([
    enlistHere(['errors', owners]),
    enlistHere(['status', owners, '--json']),
  ]);
  expect(errors.stdout).toMatch(/^wrong\.csv, row 2 \(line 2\), /);
  expect(jsonLines(status)).toMatchObject([{ total: 2, invalid: 1, states: { registered: 1 } }]);
});

describe('enlist create', () => {
  const createCommand = (...more: readonly string[]) => [
    ...['create', '--owner', owner, '--count', '3', '--full-name', 'Made {n}'],
    ...more,
  ];

  test('enlist create plans, creates nothing before enlist confirm, and then registers each user with Safe', async () => {
    const plan = await enlistHere(createCommand());
    const batch_id = findId(plan.stdout);
    expect(plan.code).toBe(6);
    expect(plan.stdout).toContain(`enlist confirm ${batch_id} --accept-cost 1.50 --api`);
    expect((await enlistHere(['status', batch_id])).code).toBe(6);
    const tooLittle = await enlistHere(['confirm', batch_id, '--accept-cost', '1']);
    expect([tooLittle.code, countCreatedUsers()]).toEqual([2, 0]);
    const confirmed = await enlistHere(['confirm', batch_id, '--accept-cost', '1.50', '--watch', '--json']);
    expect(confirmed.code).toBe(0);
    expect(jsonLines(confirmed)).toMatchObject([
      {
        states: { registered: 3, enrolled: 3 },
        cost: { created_users: 3, created_usd: 1.5, unsure_users: 0 },
      },
    ]);
    const again = await enlistHere(createCommand('--accept-cost', '1.50', '--watch'));
    expect([again.code, findId(again.stdout), countCreatedUsers()]).toEqual([0, batch_id, 3]);
    expect(again.stdout).toMatch(/3 +created +1\.50 USD/);
    const rows = await enlistHere(['bots', batch_id, '--state', 'enrolled', '--json']);
    const show = await enlistHere(['show', String(jsonLines(rows)[0]?.bot_id)]);
    expect(show.stdout).toMatch(new RegExp(`enrolment +user "Made \\d", created by ${owner}`));
    expect((await enlistHere(['show', String(jsonLines(rows)[0]?.user_id)])).stdout).toContain('registered');
  });

  test('enlist create with --accept-cost creates at once, and repeats a creation without an answer only with --pay-again', async () => {
    const before = countCreatedUsers();
    stack.standIn.setFaults([{ name: 'answer_lost', path: '/users', times: 1 }]);
    const result = await enlistHere(
      createCommand('--key', 'lost', '--count', '1', '--accept-cost', '0.5', '--watch', '--json'),
    );
    stack.standIn.setFaults([]);
    const [batch] = jsonLines(result);
    expect(result.code).toBe(3);
    expect(batch).toMatchObject({ states: { unsure: 1 }, cost: { unsure_users: 1, unsure_usd: 0.5 } });
    const batch_id = String(batch?.batch_id);
    expect((await enlistHere(['retry', batch_id])).stdout).toBe(
      'No bot was queued again: no bot is blocked or failed.\n',
    );
    const again = await enlistHere(['retry', batch_id, '--pay-again']);
    expect(again.stdout).toContain('Queued again: 1. Up to 0.50 USD may be paid a second time.');
    expect((await enlistHere(['watch', batch_id])).code).toBe(0);
    expect(countCreatedUsers()).toBe(before + 2);
  });
});

describe('enlist sign-in', () => {
  const findCode = (phone: string) =>
    stack.standIn.verifications().findLast((it) => it.phone === phone)?.code ?? '';

  test('enlist sign-in registers the account with Safe once the code of the phone is given', async () => {
    const phone = '+15550100123';
    const request = await enlistHere(['sign-in', '--json'], { stdin: `${phone}\n` });
    expect(request.code).toBe(5);
    const verification_id = String(jsonLines(request)[0]?.verification_id);
    const code = findCode(phone);
    const wrong = await enlistHere(['sign-in', '--verification', verification_id], {
      stdin: code === '0000' ? '1111' : '0000',
    });
    expect(wrong.code).toBe(2);
    expect(wrong.stderr).toContain(`enlist sign-in --verification ${verification_id}`);
    const right = await enlistHere(['sign-in', '--verification', verification_id], { stdin: code });
    expect(right.code).toBe(0);
    const batch_id = /batch ([0-9a-f-]{36})/.exec(right.stdout)?.[1] ?? '';
    const watch = await enlistHere(['watch', batch_id, '--json']);
    expect([watch.code, jsonLines(watch)[0]]).toMatchObject([0, { states: { registered: 1, enrolled: 1 } }]);
    const twice = await enlistHere(['sign-in', '--verification', verification_id], { stdin: code });
    expect([twice.code, twice.stderr]).toEqual([2, expect.stringMatching(/See it: {2}enlist show /)]);
    expect(printedTexts.filter((text) => text.includes(phone) || text.includes(` ${code} `))).toEqual([]);
  });

  test('enlist sign-in shows the kind of captcha that Mixin wants', async () => {
    const phone = '+15550100124';
    stack.standIn.preparePhone({ phone, captcha: 'hcaptcha' });
    const result = await enlistHere(['sign-in', '--phone', phone]);
    expect(result.code).toBe(2);
    expect(result.stderr).toContain('Kind of captcha: hcaptcha.');
  });
});

test('enlist doctor checks every function', async () => {
  const result = await enlistHere(['doctor']);
  expect(result.code).toBe(0);
  expect(result.stdout).toMatch(/^accounts +mixin +ok$/m);
  expect(result.stdout).toMatch(/^enroll +vault +ok$/m);
});

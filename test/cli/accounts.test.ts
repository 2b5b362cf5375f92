/** Accounts that Enlist makes, by the real API and the stand-in Mixin: created users, and sign-ins. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type LivedInHouse, openHouse } from '../flow/lived-in.ts';
import { enlist, jsonLines, printed, type RunOptions } from './run.ts';

let lived: LivedInHouse;
let folder: string;
let owner: string;
let owners: string;

const here = (args: readonly string[], options?: RunOptions) =>
  enlist([...args, '--api', lived.house.url], options);
const idIn = (text: string) => /[0-9a-f-]{36}/.exec(text)?.[0] ?? '';
const usersMade = () => lived.standIn.ledger().filter(({ path }) => path === '/users').length;

beforeAll(async () => {
  lived = await openHouse();
  folder = await mkdtemp(join(tmpdir(), 'enlist-accounts-'));
  const { keystore } = await lived.standIn.createUser();
  owner = keystore.app_id;
  await writeFile(join(folder, 'owner.json'), JSON.stringify([keystore]));
  await writeFile(join(folder, 'wrong.csv'), 'app_id\nno-uuid\n');
  const ran = await here(['upload', folder, '--watch', '--json']);
  owners = String(jsonLines(ran)[0]?.batch_id);
  expect(ran.code).toBe(3);
});

afterAll(async () => {
  await lived?.[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

test('a folder became a batch, and the error of its row names its file', async () => {
  const [errors, status] = await Promise.all([here(['errors', owners]), here(['status', owners, '--json'])]);
  expect(errors.stdout).toMatch(/^wrong\.csv, row 2 \(line 2\), /);
  expect(jsonLines(status)).toMatchObject([{ total: 2, invalid: 1, states: { registered: 1 } }]);
});

describe('create', () => {
  const order = (...more: readonly string[]) => [
    ...['create', '--owner', owner, '--count', '3', '--full-name', 'Made {n}'],
    ...more,
  ];

  test('plans, and creates nothing before confirm; each user goes into Safe', async () => {
    const plan = await here(order());
    const batch_id = idIn(plan.stdout);
    expect(plan.code).toBe(6);
    expect(plan.stdout).toContain(`enlist confirm ${batch_id} --accept-cost 1.50\n`);
    expect((await here(['status', batch_id])).code).toBe(6);
    const little = await here(['confirm', batch_id, '--accept-cost', '1']);
    expect([little.code, usersMade()]).toEqual([2, 0]);
    const done = await here(['confirm', batch_id, '--accept-cost', '1.50', '--watch', '--json']);
    expect(done.code).toBe(0);
    expect(jsonLines(done)).toMatchObject([
      {
        states: { registered: 3, enrolled: 3 },
        cost: { created_users: 3, created_usd: 1.5, unsure_users: 0 },
      },
    ]);
    const again = await here(order('--accept-cost', '1.50', '--watch'));
    expect([again.code, idIn(again.stdout), usersMade()]).toEqual([0, batch_id, 3]);
    expect(again.stdout).toMatch(/3 +created +1\.50 USD/);
    const rows = await here(['bots', batch_id, '--state', 'enrolled', '--json']);
    const shown = await here(['show', String(jsonLines(rows)[0]?.bot_id)]);
    expect(shown.stdout).toMatch(new RegExp(`makes +user "Made \\d", created by ${owner}`));
    expect((await here(['show', String(jsonLines(rows)[0]?.user_id)])).stdout).toContain('registered');
  });

  test('a cost that was accepted before needs no confirm; a lost answer is told, and paid again on demand', async () => {
    const before = usersMade();
    lived.standIn.setFaults([{ name: 'answer_lost', path: '/users', times: 1 }]);
    const ran = await here(
      order('--key', 'lost', '--count', '1', '--accept-cost', '0.5', '--watch', '--json'),
    );
    lived.standIn.setFaults([]);
    const [batch] = jsonLines(ran);
    expect(ran.code).toBe(3);
    expect(batch).toMatchObject({ states: { unsure: 1 }, cost: { unsure_users: 1, unsure_usd: 0.5 } });
    const batch_id = String(batch?.batch_id);
    expect((await here(['retry', batch_id])).stdout).toBe('No bot was queued again.\n');
    const again = await here(['retry', batch_id, '--pay-again']);
    expect(again.stdout).toContain('Queued again: 1. What may be paid twice: 0.50 USD.');
    expect((await here(['watch', batch_id])).code).toBe(0);
    expect(usersMade()).toBe(before + 2);
  });
});

describe('sign-in', () => {
  const codeOf = (phone: string) =>
    lived.standIn.verifications().findLast((it) => it.phone === phone)?.code ?? '';

  test('with the code of the phone the account goes into Safe', async () => {
    const phone = '+15550100123';
    const asked = await here(['sign-in', '--json'], { stdin: `${phone}\n` });
    expect(asked.code).toBe(5);
    const verification_id = String(jsonLines(asked)[0]?.verification_id);
    const code = codeOf(phone);
    const wrong = await here(['sign-in', '--verification', verification_id], {
      stdin: code === '0000' ? '1111' : '0000',
    });
    expect(wrong.code).toBe(2);
    expect(wrong.stderr).toContain(`enlist sign-in --verification ${verification_id}`);
    const right = await here(['sign-in', '--verification', verification_id], { stdin: code });
    expect(right.code).toBe(0);
    const batch_id = /batch ([0-9a-f-]{36})/.exec(right.stdout)?.[1] ?? '';
    const watched = await here(['watch', batch_id, '--json']);
    expect([watched.code, jsonLines(watched)[0]]).toMatchObject([
      0,
      { states: { registered: 1, enrolled: 1 } },
    ]);
    const twice = await here(['sign-in', '--verification', verification_id], { stdin: code });
    expect([twice.code, twice.stderr]).toEqual([2, expect.stringMatching(/Look at it: {2}enlist show /)]);
    expect(printed.filter((text) => text.includes(phone) || text.includes(` ${code} `))).toEqual([]);
  });

  test('a captcha is told with its kind', async () => {
    const phone = '+15550100124';
    lived.standIn.preparePhone({ phone, captcha: 'hcaptcha' });
    const ran = await here(['sign-in', '--phone', phone]);
    expect(ran.code).toBe(2);
    expect(ran.stderr).toContain('Kind of captcha: hcaptcha.');
  });
});

test('doctor asks every function', async () => {
  const ran = await here(['doctor']);
  expect(ran.code).toBe(0);
  expect(ran.stdout).toMatch(/^accounts +mixin +ok$/m);
  expect(ran.stdout).toMatch(/^enroll +vault +ok$/m);
});

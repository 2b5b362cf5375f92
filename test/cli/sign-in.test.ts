/** Signing in by a code: what is asked, what is sent, and what is never shown. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openPrompt } from '../../cli/prompt.ts';
import { BATCH_ID, byRoute, refuses, says } from './made-up.ts';
import { enlist, enlistProcess, jsonLines, printed, startServer } from './run.ts';

const VERIFICATION_ID = '00000000-0000-4000-8000-00000000f001';
const DEVICE_ID = '00000000-0000-4000-8000-00000000d001';
const PHONE = '+15550100';
const CODE = '730461';
const TOKEN = 'made-up-notification-token';
const CAPTCHA = 'made-up-captcha-answer';

const verification = {
  verification_id: VERIFICATION_ID,
  device_id: DEVICE_ID,
  has_emergency_contact: false,
};
const signedIn = {
  bot_id: '00000000-0000-4000-8000-000000000001',
  user_id: '00000000-0000-4000-8000-000000000001',
  session_id: '00000000-0000-4000-8000-000000000002',
  batch_id: BATCH_ID,
  state: 'queued',
  account: { identity_number: '7000100200', full_name: 'Made \u001B[1mUp' },
};
const asking = 'POST /accounts/verifications';
const signing = `POST /accounts/verifications/${VERIFICATION_ID}`;
const goOn = `enlist sign-in --verification ${VERIFICATION_ID}`;

let folder: string;
const fileOf = async (name: string, text: string) => {
  const path = join(folder, name);
  await writeFile(path, text);
  return path;
};
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'enlist-sign-in-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const signIn = async (
  stdin: string,
  args: readonly string[] = [],
  more: Parameters<typeof byRoute>[0] = {},
) => {
  const routes = { [asking]: says(verification), [signing]: says(signedIn, 201), ...more };
  await using server = await startServer(byRoute(routes));
  const ran = await enlist(['sign-in', ...args, '--api', server.url], { stdin });
  const sent = server.heard.map(({ url, body }) => [url, JSON.parse(body)]);
  return { ran, sent };
};

describe('signing in', () => {
  test('phone and code from a pipe, a line each: 0, and where the account is', async () => {
    const { ran, sent } = await signIn(`+1 (555) 01-00\r\n ${CODE} \n`);
    expect(ran).toEqual({
      code: 0,
      stdout: [
        `Signed in: Made ?[1mUp (7000100200), user ${signedIn.user_id}`,
        `It goes into Safe as batch ${BATCH_ID}: queued`,
        `Follow it:  enlist watch ${BATCH_ID}`,
        '',
      ].join('\n'),
      stderr: `Mixin sent a code to the phone. Verification ${VERIFICATION_ID}\n`,
    });
    expect(sent).toEqual([
      ['/accounts/verifications', { phone: PHONE }],
      [`/accounts/verifications/${VERIFICATION_ID}`, { device_id: DEVICE_ID, code: CODE }],
    ]);
  });

  test('every field has an option; --json prints what the API answers', async () => {
    const token = await fileOf('token', `${TOKEN}\n`);
    const captcha = await fileOf('captcha.json', JSON.stringify({ hcaptcha_response: CAPTCHA }));
    const device = {
      platform: 'iOS',
      platform_version: '26.1',
      app_version: '4.0.0',
      package_name: 'one.mixin.other',
      device_id: '00000000-0000-4000-8000-00000000d002',
    };
    const { ran, sent } = await signIn(`${CODE}`, [
      ...Object.entries(device).flatMap(([name, value]) => [`--${name.replaceAll('_', '-')}`, value]),
      ...['--phone', PHONE, '--session-key', 'rsa', '--registration-id', '4711', '--abort-deactivation'],
      ...['--notification-token-file', token, '--captcha-file', captcha, '--json'],
    ]);
    expect(jsonLines(ran)).toEqual([signedIn]);
    expect(sent.map(([, body]) => body)).toEqual([
      { phone: PHONE, ...device, hcaptcha_response: CAPTCHA },
      {
        ...device,
        code: CODE,
        session_key: 'rsa',
        registration_id: 4711,
        notification_token: TOKEN,
        abort_deactivation: true,
      },
    ]);
  });

  test('without a code it ends with 5, and --verification goes on', async () => {
    const [text, json] = await Promise.all([signIn(`${PHONE}\n`), signIn('', ['--phone', PHONE, '--json'])]);
    expect([text.ran.code, text.sent.length]).toEqual([5, 1]);
    expect(text.ran.stdout).toBe(`No code was given. Go on:  ${goOn}\n`);
    expect([json.ran.code, jsonLines(json.ran)]).toEqual([5, [verification]]);
    const { ran, sent } = await signIn(CODE, ['--verification', VERIFICATION_ID]);
    expect(ran.code).toBe(0);
    expect(sent).toEqual([[`/accounts/verifications/${VERIFICATION_ID}`, { code: CODE }]]);
  });

  test('it is told although Mixin says nothing of the person', async () => {
    const { ran } = await signIn(CODE, ['--verification', VERIFICATION_ID], {
      [signing]: says({ ...signedIn, account: { full_name: null } }, 201),
    });
    expect(ran.stdout).toContain(
      `Signed in: an account (no identity number was told), user ${signedIn.user_id}`,
    );
  });

  test('what is no code is not sent: 2', async () => {
    const { ran, sent } = await signIn(`${PHONE}\nseven\n`);
    expect([ran.code, sent.length]).toEqual([2, 1]);
    expect(ran.stderr).toContain(`A code has digits only, so it was not sent.\nGo on:  ${goOn}\n`);
  });

  test('Ctrl-C while the code is waited for: 4', async () => {
    await using server = await startServer(byRoute({ [asking]: says(verification) }));
    const ran = await enlistProcess(['sign-in', '--phone', PHONE, '--api', server.url], {
      keepsStdinOpen: true,
      onStart: (child) => child.stderr?.once('data', () => setTimeout(() => child.kill('SIGINT'), 200)),
    });
    expect([ran.code, ran.stderr.split('\n')[1]]).toEqual([4, 'Interrupted.']);
  });

  test('it ends although the pipe stays open', async () => {
    const routes = { [asking]: says(verification), [signing]: says(signedIn, 201) };
    await using server = await startServer(byRoute(routes));
    const ran = await enlistProcess(['sign-in', '--api', server.url], {
      stdin: `${PHONE}\n${CODE}\n`,
      keepsStdinOpen: true,
    });
    expect(ran.code).toBe(0);
  });
});

describe('an account that is to be deleted', () => {
  const leaving = { ...verification, deactivation_effective_at: '2026-12-24T18:00:00Z' };

  test('is left alone: 2, the day, and how to go on', async () => {
    const [text, json] = await Promise.all([
      signIn(`${PHONE}\n${CODE}\n`, [], { [asking]: says(leaving) }),
      signIn(`${PHONE}\n${CODE}\n`, ['--json'], { [asking]: says(leaving) }),
    ]);
    expect([text.ran.code, text.sent.length]).toEqual([2, 1]);
    expect(text.ran.stderr).toContain('is to be deleted on 2026-12-24 18:00:00 UTC');
    expect(text.ran.stderr).toContain(`Go on:  ${goOn} --abort-deactivation\n`);
    expect(jsonLines(json.ran)).toEqual([leaving]);
  });

  test('is signed in with --abort-deactivation', async () => {
    const { ran, sent } = await signIn(`${PHONE}\n${CODE}\n`, ['--abort-deactivation'], {
      [asking]: says(leaving),
    });
    expect([ran.code, sent[1]?.[1]]).toEqual([
      0,
      { device_id: DEVICE_ID, code: CODE, abort_deactivation: true },
    ]);
  });

  test('is told by the API too', async () => {
    const { ran } = await signIn(CODE, ['--verification', VERIFICATION_ID], {
      [signing]: refuses(409, 'deactivation_pending'),
    });
    expect(ran).toEqual({
      code: 2,
      stdout: '',
      stderr: `It is not so. Do better.\nGo on:  ${goOn} --abort-deactivation\n`,
    });
  });
});

describe('what Mixin refuses is told: 2, and asked once only', () => {
  test.concurrent.each([
    ['hcaptcha', 'captcha_required', 'give hcaptcha_response with --captcha-file FILE.'],
    [
      'geetest',
      'captcha_wrong',
      'give gt4_lot_number, gt4_captcha_output, gt4_pass_token, gt4_gen_time with',
    ],
    ['recaptcha', 'captcha_required', 'give g_recaptcha_response with'],
  ])('a captcha: %s', async (captcha, code, hint) => {
    const { ran, sent } = await signIn(`${PHONE}\n${CODE}\n`, [], {
      [asking]: refuses(422, code, { captcha }),
    });
    expect([ran.code, ran.stdout, sent.length]).toEqual([2, '', 1]);
    expect(ran.stderr).toContain(`It is not so. Do better. Kind of captcha: ${captcha}. Enlist solves none:`);
    expect(ran.stderr).toContain(hint);
  });

  test.concurrent.each([
    ['sms_too_often', 429],
    ['phone_invalid', 422],
    ['server_error', 502],
  ])('%s, when a code is asked for', async (code, status) => {
    const request_id = '00000000-0000-4000-8000-0000000000f1';
    const { ran, sent } = await signIn(PHONE, [], { [asking]: refuses(status, code, { request_id }) });
    expect([ran.code, sent.length]).toEqual([2, 1]);
    expect(ran.stderr).toBe(`It is not so. (Mixin's request ${request_id}) Do better.\n`);
  });

  test.concurrent.each([
    ['sms_code_wrong', `It is not so. Do better.\nGo on:  ${goOn}\n`],
    ['sms_code_expired', 'It is not so. Do better.\n'],
    ['signed_in_already', `It is not so. Do better.\nLook at it:  enlist show ${signedIn.user_id}\n`],
  ])('%s', async (code, sentences) => {
    const { user_id } = signedIn;
    const { ran, sent } = await signIn(`${PHONE}\n${CODE}\n`, [], {
      [signing]: refuses(422, code, { user_id }),
    });
    expect([ran.code, sent.length]).toEqual([2, 2]);
    expect(ran.stderr.endsWith(sentences)).toBe(true);
  });

  test('an answer that never comes leaves it open, and that is said', async () => {
    const [gateway, lost] = await Promise.all(
      [{ status: 503, body: '{"message":"Service Unavailable"}' }, undefined].map((said) =>
        signIn(`${PHONE}\n${CODE}\n`, ['--session-key', 'rsa'], { [signing]: [said] }),
      ),
    );
    for (const it of [gateway, lost]) {
      expect([it?.ran.code, it?.sent.length]).toEqual([2, 2]);
      expect(it?.ran.stderr).toContain(
        `Nobody knows whether it took effect.\nGo on:  ${goOn} --session-key rsa\n`,
      );
    }
  });
});

describe('secrets', () => {
  test('a code is no option and no argument, and the environment is not asked', async () => {
    const api = ['--api', 'http://127.0.0.1:1'];
    const env = { ENLIST_CODE: CODE, CODE };
    const ran = await Promise.all([
      enlist(['sign-in', `--code=${CODE}`, ...api]),
      enlist(['sign-in', '--code', CODE, ...api]),
      enlist(['sign-in', CODE, ...api]),
      enlistProcess(['sign-in', '--verification', VERIFICATION_ID, '--json', ...api], { env }),
    ]);
    expect(ran.map(({ code }) => code)).toEqual([1, 1, 1, 5]);
    expect(ran[0]?.stderr).toBe("Unknown option '--code'. See enlist sign-in --help.\n");
  });

  test('a captcha file with other fields is not sent, and not quoted', async () => {
    const file = await fileOf('other.json', JSON.stringify({ code: CODE }));
    const { ran, sent } = await signIn(PHONE, ['--captcha-file', file]);
    expect([ran.code, sent.length]).toEqual([1, 0]);
  });

  test('no code, token, captcha answer or phone number was printed', () => {
    expect(printed.length).toBeGreaterThan(20);
    const all = printed.join('\n');
    expect([CODE, TOKEN, CAPTCHA, PHONE, '5550100'].filter((secret) => all.includes(secret))).toEqual([]);
  });
});

describe('in a terminal', () => {
  const open = () => {
    const input = Object.assign(new PassThrough(), { isTTY: true });
    const output = new PassThrough();
    let text = '';
    output.on('data', (chunk) => {
      text += String(chunk);
    });
    const abort = new AbortController();
    return { input, abort, prompt: openPrompt(input, output, abort.signal), text: () => text };
  };

  test('questions are shown, what is typed is echoed, and a code is not', async () => {
    const { input, prompt, text } = open();
    const phone = prompt.ask('Phone: ');
    input.write(`${PHONE}\r`);
    expect(await phone).toBe(PHONE);
    const code = prompt.askHidden('Code: ');
    input.write(`${CODE}\r`);
    expect(await code).toBe(CODE);
    prompt[Symbol.dispose]();
    expect(text()).toContain(`Phone: ${PHONE}`);
    expect(text()).toMatch(/Code: \r?\n$/);
    expect(text()).not.toContain(CODE);
  });

  test('Ctrl-D is no answer, and an abort ends the question', async () => {
    const ended = open();
    const nothing = ended.prompt.ask('Phone: ');
    ended.input.write('\u0004');
    expect(await nothing).toBeUndefined();
    const aborted = open();
    const question = aborted.prompt.ask('Phone: ');
    aborted.abort.abort();
    await expect(question).rejects.toMatchObject({ name: 'AbortError' });
    aborted.prompt[Symbol.dispose]();
  });
});

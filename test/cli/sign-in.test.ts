/** enlist sign-in: its questions, its requests, and the secrets that it never shows. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openPrompt } from '../../cli/prompt.ts';
import { answerJson, answerProblem, BATCH_ID, createRouter } from './answers.ts';
import { enlist, enlistProcess, jsonLines, printedTexts, startServer } from './run.ts';

const VERIFICATION_ID = '00000000-0000-4000-8000-00000000f001';
const DEVICE_ID = '00000000-0000-4000-8000-00000000d001';
const PHONE = '+15550100';
const CODE = '730461';
const TOKEN = 'invented-notification-token';
const CAPTCHA = 'invented-captcha-answer';

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
const codeRoute = 'POST /accounts/verifications';
const signInRoute = `POST /accounts/verifications/${VERIFICATION_ID}`;
const continueCommand = `enlist sign-in --verification ${VERIFICATION_ID}`;

let folder: string;
const writeTextFile = async (name: string, text: string) => {
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
  more: Parameters<typeof createRouter>[0] = {},
) => {
  const routes = { [codeRoute]: answerJson(verification), [signInRoute]: answerJson(signedIn, 201), ...more };
  await using server = await startServer(createRouter(routes));
  const result = await enlist(['sign-in', ...args], { stdin, env: { ENLIST_API: server.url } });
  const requests = server.requests.map(({ url, body }) => [url, JSON.parse(body)]);
  return { result, requests };
};

describe('enlist sign-in', () => {
  test('enlist sign-in reads phone and code from a pipe, one per line, and shows the account and its batch', async () => {
    const { result, requests } = await signIn(`+1 (555) 01-00\r\n ${CODE} \n`);
    expect(result).toEqual({
      code: 0,
      stdout: [
        `Signed in: Made ?[1mUp (7000100200), user ${signedIn.user_id}`,
        `It will be registered with Safe, as batch ${BATCH_ID}: queued`,
        `Follow it:  enlist watch ${BATCH_ID}`,
        '',
      ].join('\n'),
      stderr: `Mixin sent a code to the phone. Verification ${VERIFICATION_ID}\n`,
    });
    expect(requests).toEqual([
      ['/accounts/verifications', { phone: PHONE }],
      [`/accounts/verifications/${VERIFICATION_ID}`, { device_id: DEVICE_ID, code: CODE }],
    ]);
  });

  test('enlist sign-in has an option for every field, and prints the answer of the API with --json', async () => {
    const token = await writeTextFile('token', `${TOKEN}\n`);
    const captcha = await writeTextFile('captcha.json', JSON.stringify({ hcaptcha_response: CAPTCHA }));
    const device = {
      platform: 'iOS',
      platform_version: '26.1',
      app_version: '4.0.0',
      package_name: 'one.mixin.other',
      device_id: '00000000-0000-4000-8000-00000000d002',
    };
    const { result, requests } = await signIn(`${CODE}`, [
      ...Object.entries(device).flatMap(([name, value]) => [`--${name.replaceAll('_', '-')}`, value]),
      ...['--phone', PHONE, '--session-key', 'rsa', '--registration-id', '4711', '--abort-deactivation'],
      ...['--notification-token-file', token, '--captcha-file', captcha, '--json'],
    ]);
    expect(jsonLines(result)).toEqual([signedIn]);
    expect(requests.map(([, body]) => body)).toEqual([
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

  test('enlist sign-in ends with 5 without a code, and --verification continues', async () => {
    const [text, json] = await Promise.all([signIn(`${PHONE}\n`), signIn('', ['--phone', PHONE, '--json'])]);
    expect([text.result.code, text.requests.length]).toEqual([5, 1]);
    expect(text.result.stdout).toBe(`No code was given. Continue:  ${continueCommand}\n`);
    expect([json.result.code, jsonLines(json.result)]).toEqual([5, [verification]]);
    const { result, requests } = await signIn(CODE, ['--verification', VERIFICATION_ID]);
    expect(result.code).toBe(0);
    expect(requests).toEqual([[`/accounts/verifications/${VERIFICATION_ID}`, { code: CODE }]]);
  });

  test('enlist sign-in shows an account without data of a person', async () => {
    const { result } = await signIn(CODE, ['--verification', VERIFICATION_ID], {
      [signInRoute]: answerJson({ ...signedIn, account: { full_name: null } }, 201),
    });
    expect(result.stdout).toContain(`Signed in: an account (no identity number), user ${signedIn.user_id}`);
  });

  test('enlist sign-in ends with 2 and does not send a text that is not a code', async () => {
    const { result, requests } = await signIn(`${PHONE}\nseven\n`);
    expect([result.code, requests.length]).toEqual([2, 1]);
    expect(result.stderr).toContain(
      `A code has only digits, so this one was not sent.\nContinue:  ${continueCommand}\n`,
    );
  });

  test('enlist sign-in ends with 4 on Ctrl-C while it waits for the code', async () => {
    await using server = await startServer(createRouter({ [codeRoute]: answerJson(verification) }));
    const result = await enlistProcess(['sign-in', '--phone', PHONE, '--api', server.url], {
      keepsStdinOpen: true,
      onStart: (child) => child.stderr?.once('data', () => setTimeout(() => child.kill('SIGINT'), 200)),
    });
    expect([result.code, result.stderr.split('\n')[1]]).toEqual([4, 'Interrupted.']);
  });

  test('enlist sign-in ends although the pipe stays open', async () => {
    const routes = { [codeRoute]: answerJson(verification), [signInRoute]: answerJson(signedIn, 201) };
    await using server = await startServer(createRouter(routes));
    const result = await enlistProcess(['sign-in', '--api', server.url], {
      stdin: `${PHONE}\n${CODE}\n`,
      keepsStdinOpen: true,
    });
    expect(result.code).toBe(0);
  });
});

describe('an account that will be deleted', () => {
  const deactivating = { ...verification, deactivation_effective_at: '2026-12-24T18:00:00Z' };

  test('an account that will be deleted is not signed in: the exit code is 2, and the day and the next command are shown', async () => {
    const [text, json] = await Promise.all([
      signIn(`${PHONE}\n${CODE}\n`, [], { [codeRoute]: answerJson(deactivating) }),
      signIn(`${PHONE}\n${CODE}\n`, ['--json'], { [codeRoute]: answerJson(deactivating) }),
    ]);
    expect([text.result.code, text.requests.length]).toEqual([2, 1]);
    expect(text.result.stderr).toContain('will be deleted on 2026-12-24 18:00:00 UTC');
    expect(text.result.stderr).toContain(`Continue:  ${continueCommand} --abort-deactivation\n`);
    expect(jsonLines(json.result)).toEqual([deactivating]);
  });

  test('an account that will be deleted is signed in with --abort-deactivation', async () => {
    const { result, requests } = await signIn(`${PHONE}\n${CODE}\n`, ['--abort-deactivation'], {
      [codeRoute]: answerJson(deactivating),
    });
    expect([result.code, requests[1]?.[1]]).toEqual([
      0,
      { device_id: DEVICE_ID, code: CODE, abort_deactivation: true },
    ]);
  });

  test('an account that will be deleted is also recognised when the API refuses the sign-in', async () => {
    const { result } = await signIn(CODE, ['--verification', VERIFICATION_ID], {
      [signInRoute]: answerProblem(409, 'deactivation_pending'),
    });
    expect(result).toEqual({
      code: 2,
      stdout: '',
      stderr: `It was refused. To keep the account, give --abort-deactivation.\nContinue:  ${continueCommand} --abort-deactivation\n`,
    });
  });
});

describe('refusals of Mixin', () => {
  test.concurrent.each([
    ['hcaptcha', 'captcha_required', 'then give hcaptcha_response with --captcha-file FILE.'],
    [
      'geetest',
      'captcha_wrong',
      'give gt4_lot_number, gt4_captcha_output, gt4_pass_token, gt4_gen_time with',
    ],
    ['recaptcha', 'captcha_required', 'give g_recaptcha_response with'],
  ])(
    'enlist sign-in explains a captcha of the kind %s, and ends with 2 after one request',
    async (captcha, code, hint) => {
      const { result, requests } = await signIn(`${PHONE}\n${CODE}\n`, [], {
        [codeRoute]: answerProblem(422, code, { captcha }),
      });
      expect([result.code, result.stdout, requests.length]).toEqual([2, '', 1]);
      expect(result.stderr).toContain(
        `It was refused. Try something else. Kind of captcha: ${captcha}. Enlist does not solve captchas:`,
      );
      expect(result.stderr).toContain(hint);
    },
  );

  test.concurrent.each([
    ['sms_too_often', 429],
    ['phone_invalid', 422],
    ['server_error', 502],
  ])('enlist sign-in shows the error %s to its request for a code, and ends with 2', async (code, status) => {
    const request_id = '00000000-0000-4000-8000-0000000000f1';
    const { result, requests } = await signIn(PHONE, [], {
      [codeRoute]: answerProblem(status, code, { request_id }),
    });
    expect([result.code, requests.length]).toEqual([2, 1]);
    expect(result.stderr).toBe(`It was refused. (Mixin's request ${request_id}) Try something else.\n`);
  });

  test.concurrent.each([
    ['sms_code_wrong', `It was refused. Try something else.\nContinue:  ${continueCommand}\n`],
    ['sms_code_expired', 'It was refused. Try something else.\n'],
    [
      'signed_in_already',
      `It was refused. enlist show shows the bot that it signed in.\nSee it:  enlist show ${signedIn.user_id}\n`,
    ],
  ])(
    'enlist sign-in shows the error %s with the next command, if there is one, and ends with 2',
    async (code, sentences) => {
      const { user_id } = signedIn;
      const { result, requests } = await signIn(`${PHONE}\n${CODE}\n`, [], {
        [signInRoute]: answerProblem(422, code, { user_id }),
      });
      expect([result.code, requests.length]).toEqual([2, 2]);
      expect(result.stderr.endsWith(sentences)).toBe(true);
    },
  );

  test('enlist sign-in reports a lost answer with the command that shows what happened', async () => {
    const [gateway, lost] = await Promise.all(
      [{ status: 503, body: '{"message":"Service Unavailable"}' }, undefined].map((answer) =>
        signIn(`${PHONE}\n${CODE}\n`, ['--session-key', 'rsa'], { [signInRoute]: [answer] }),
      ),
    );
    for (const it of [gateway, lost]) {
      expect([it?.result.code, it?.requests.length]).toEqual([2, 2]);
      expect(it?.result.stderr).toContain(
        `Nobody knows whether it took effect.\nContinue:  ${continueCommand} --session-key rsa\n`,
      );
    }
  });
});

describe('secrets of a sign-in', () => {
  test('a code is not accepted as an option, argument or environment variable', async () => {
    const api = ['--api', 'http://127.0.0.1:1'];
    const env = { ENLIST_CODE: CODE, CODE };
    const result = await Promise.all([
      enlist(['sign-in', `--code=${CODE}`, ...api]),
      enlist(['sign-in', '--code', CODE, ...api]),
      enlist(['sign-in', `-c${CODE}`, ...api]),
      enlist(['sign-in', CODE, ...api]),
      enlistProcess(['sign-in', '--verification', VERIFICATION_ID, '--json', ...api], { env }),
    ]);
    expect(result.map(({ code }) => code)).toEqual([1, 1, 1, 1, 5]);
    expect(result[0]?.stderr).toBe("Unknown option '--code'. See enlist sign-in --help\n");
  });

  test('a captcha file with other fields is neither sent nor quoted', async () => {
    const file = await writeTextFile('other.json', JSON.stringify({ code: CODE }));
    const { result, requests } = await signIn(PHONE, ['--captcha-file', file]);
    expect([result.code, requests.length]).toEqual([1, 0]);
  });

  test('no code, token, captcha answer or phone number was printed', () => {
    expect(printedTexts.length).toBeGreaterThan(20);
    const all = printedTexts.join('\n');
    expect([CODE, TOKEN, CAPTCHA, PHONE, '5550100'].filter((secret) => all.includes(secret))).toEqual([]);
  });
});

describe('prompts of a terminal', () => {
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

  test('a prompt shows questions and echoes what is typed, but never a code', async () => {
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

  test('a prompt reads Ctrl-D as no answer, and ends a question on abort', async () => {
    const closed = open();
    const nothing = closed.prompt.ask('Phone: ');
    closed.input.write('\u0004');
    expect(await nothing).toBeUndefined();
    const interrupted = open();
    const question = interrupted.prompt.ask('Phone: ');
    interrupted.abort.abort();
    await expect(question).rejects.toMatchObject({ name: 'AbortError' });
    interrupted.prompt[Symbol.dispose]();
  });
});

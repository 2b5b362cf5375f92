import { randomUUID } from 'node:crypto';
import { expect, test } from 'vitest';
import type { NewPhone } from '../../../emulators/mixin/server.ts';
import {
  connect,
  createClock,
  HOUR_MS,
  type Keystore,
  newKey,
  readLastEntry,
  START_MS,
  sendOpenly,
  start,
  UUID,
} from './client.ts';
import {
  connectRsa,
  connectSignedIn,
  lastCode,
  newRsaSession,
  newSession,
  PHONE,
  requestCode,
  signIn,
  signInFields,
} from './phone-client.ts';

const setUp = async (phone?: Partial<NewPhone>) => {
  const clock = createClock();
  const standIn = await start({ now: clock.now });
  const prepared = phone === undefined ? undefined : standIn.preparePhone({ phone: PHONE, ...phone });
  const account = () => {
    const view = standIn.accounts().find((one) => one.phone === PHONE);
    if (view === undefined) throw new Error('nobody has this phone');
    return view;
  };
  return { clock, standIn, prepared, account };
};

const secret = newSession().secret;

test('a code is sent at most once a minute', async () => {
  const { clock, standIn } = await setUp();
  const { status, data } = await requestCode(standIn);
  expect(status).toBe(200);
  expect(data).toEqual({
    type: 'verification',
    id: expect.stringMatching(UUID),
    has_emergency_contact: false,
    contact_id: '',
    deactivation_requested_at: '',
    deactivation_effective_at: '',
  });
  expect(standIn.verifications()).toEqual([
    {
      id: data.id,
      phone: PHONE,
      code: expect.stringMatching(/^\d{4}$/),
      expires_at: new Date(START_MS + 300_000).toISOString(),
    },
  ]);
  clock.advance(59_999);
  expect((await requestCode(standIn)).error.code).toBe(20129);
  expect((await requestCode(standIn, { phone: '+12025550123' })).data.type).toBe('verification');
  clock.advance(1);
  expect((await requestCode(standIn)).data.id).not.toBe(data.id);
  expect(standIn.verifications().map(({ phone }) => phone)).toEqual([PHONE, '+12025550123', PHONE]);
});

test('verification codes are random', async () => {
  const { standIn } = await setUp();
  for (let last = 10; last < 30; last += 1) await requestCode(standIn, { phone: `+120255501${last}` });
  expect(new Set(standIn.verifications().map(({ code }) => code)).size).toBeGreaterThan(10);
});

test.each(['13800013800', '+0123456789', '+86 13800013800', '+86138', '+8613800013800123', 'me'])(
  'the phone %j is 20110',
  async (phone) => {
    const { standIn } = await setUp();
    expect((await requestCode(standIn, { phone })).error.code).toBe(20110);
    expect(standIn.verifications()).toEqual([]);
  },
);

test.each([
  ['phone', { phone: undefined }],
  ['phone', { phone: 8_613_800_013_800 }],
  ['purpose', { purpose: undefined }],
  ['purpose', { purpose: 'PHONE' }],
  ['purpose', { purpose: 'ANONYMOUS_SESSION' }],
  ['platform', { platform: undefined }],
  ['platform', { platform: 'Andoird' }],
  ['package_name', { package_name: 7 }],
  ['platform_version', { platform_version: 11 }],
  ['app_version', { app_version: null }],
])('POST /verifications is 10002 for an invalid %s: %j', async (field, fields) => {
  const { standIn } = await setUp();
  expect((await requestCode(standIn, fields)).error).toMatchObject({ code: 10002, extra: { field } });
  expect(standIn.verifications()).toEqual([]);
});

test('a device id must be a UUID', async () => {
  const { standIn } = await setUp();
  const { error } = await requestCode(standIn, {}, { 'Mixin-Device-Id': 'phone' });
  expect(error).toMatchObject({ code: 10002, extra: { field: 'Mixin-Device-Id' } });
  const device = { 'Mixin-Device-Id': randomUUID().toUpperCase() };
  const { data } = await requestCode(standIn, {}, device);
  const { code } = lastCode(standIn);
  const path = `/verifications/${String(data.id)}`;
  const fields = signInFields(code, secret);
  const refusal = await sendOpenly(standIn, path, fields, { 'Mixin-Device-Id': '1' });
  expect(refusal.error.extra?.field).toBe('Mixin-Device-Id');
  expect((await sendOpenly(standIn, path, fields, device)).data.type).toBe('user');
});

test('the verification calls accept no token or an empty one; any other is 401', async () => {
  const { standIn } = await setUp();
  expect((await requestCode(standIn, {}, { Authorization: 'Bearer a.b.c' })).error.code).toBe(401);
  expect((await requestCode(standIn, {}, { Authorization: 'Bearer ' })).data.type).toBe('verification');
  const path = `/verifications/${lastCode(standIn).id}`;
  expect((await sendOpenly(standIn, path, {}, { Authorization: 'Basic x' })).error.code).toBe(401);
  expect((await sendOpenly(standIn, path, '[]')).error.code).toBe(400);
  expect((await sendOpenly(standIn, '/verifications', '{')).error.code).toBe(400);
});

const geetest = { gt4_lot_number: '1', gt4_captcha_output: '2', gt4_gen_time: '3', gt4_pass_token: 'solved' };

test.each([
  ['recaptcha', { g_recaptcha_response: 'solved' }, /^reCAPTCHA/],
  ['hcaptcha', { hcaptcha_response: 'solved' }, /^hCaptcha/],
  ['geetest', geetest, /^GeeTest/],
] as const)(
  'with the captcha %s no answer is 10005, a wrong answer is 10004, and the right answer sends a code',
  async (captcha, right, name) => {
    const { standIn } = await setUp({ captcha });
    const others = { g_recaptcha_response: 'solved', hcaptcha_response: 'solved', ...geetest };
    const otherAnswers = Object.fromEntries(Object.entries(others).filter(([field]) => !(field in right)));
    for (const fields of [{}, otherAnswers]) {
      const { error } = await requestCode(standIn, fields);
      expect(error.code).toBe(10005);
      expect(error.description).toMatch(name);
    }
    for (const field of Object.keys(right).filter((it) => it !== 'gt4_gen_time')) {
      const wrong = field.startsWith('gt4_') && field !== 'gt4_pass_token' ? '' : 'guessed';
      const { error } = await requestCode(standIn, { ...right, [field]: wrong });
      expect(error.code).toBe(10004);
      expect(error.description).toMatch(name);
    }
    expect(standIn.verifications()).toEqual([]);
    expect((await requestCode(standIn, right)).data.type).toBe('verification');
  },
);

test('a test can choose the right answer to a captcha, and remove the captcha', async () => {
  const { clock, standIn } = await setUp({ captcha: 'hcaptcha', captcha_answer: 'seven buses' });
  expect((await requestCode(standIn, { hcaptcha_response: 'solved' })).error.code).toBe(10004);
  expect((await requestCode(standIn, { hcaptcha_response: 'seven buses' })).data.type).toBe('verification');
  clock.advance(60_000);
  standIn.preparePhone({ phone: PHONE });
  expect((await requestCode(standIn)).data.type).toBe('verification');
});

test('a sign-up creates a person with every field of the page, whose session and PIN work', async () => {
  const { clock, standIn, account } = await setUp();
  const session = newSession();
  const { status, data } = await signIn(standIn, session.secret);
  expect(status).toBe(200);
  const fields =
    'type user_id identity_number full_name avatar_url relationship mute_until created_at is_verified session_id phone pin_token invitation_code code_id code_url has_pin receive_message_source salt_base64 tip_key_base64 has_safe features';
  for (const field of fields.split(' ')) expect(data).toHaveProperty(field);
  expect(data).toMatchObject({
    type: 'user',
    phone: PHONE,
    full_name: '',
    has_pin: false,
    has_safe: false,
    tip_key_base64: '',
    invitation_code: '',
    relationship: 'ME',
  });
  expect(data.pin_token).toMatch(/^[A-Za-z0-9+/]{43}=$/);
  expect(data).not.toHaveProperty('server_public_key');
  expect(account()).toMatchObject({ user_id: data.user_id, kind: 'person', session_key: 'ed25519' });
  const { user_id, session_id } = data;
  expect(readLastEntry(standIn)).toMatchObject({
    path: `/verifications/${lastCode(standIn).id}`,
    signed_in: { user_id, session_id },
    created: { kind: 'person', user_id },
  });
  expect(readLastEntry(standIn)).not.toHaveProperty('user_id');

  const tip = newKey();
  const person = connectSignedIn(standIn, session, data, clock);
  expect((await person.me()).data).toMatchObject({ user_id, session_id, phone: PHONE });
  expect((await person.setTip(tip)).data.has_pin).toBe(true);
  expect((await person.register(newKey(), tip)).data.has_safe).toBe(true);
  const sessionSecret = { session_secret: newSession().secret, full_name: 'User' };
  expect((await person.send('POST', '/users', sessionSecret)).error.code).toBe(403);
});

test('a sign-up works with an RSA key, as on the old page', async () => {
  const { clock, standIn, account } = await setUp();
  const { pem, secret: session_secret } = newRsaSession();
  const { data } = await signIn(standIn, session_secret);
  expect(Buffer.from(String(data.pin_token), 'base64')).toHaveLength(128);
  expect(account().session_key).toBe('rsa');
  const keystore = {
    client_id: String(data.user_id),
    session_id: String(data.session_id),
    pin_token: String(data.pin_token),
    private_key: pem,
  };
  const person = connectRsa(standIn, keystore, clock);
  expect((await person.setTip(newKey())).data.has_pin).toBe(true);
});

test('a sign-in keeps the account and ends its old session', async () => {
  const tip = newKey();
  const { clock, standIn, prepared } = await setUp({ account: { tip, full_name: 'Ann', safe: 'foreign' } });
  const before = connect(standIn, prepared?.keystore as Keystore, clock);
  expect((await before.me()).data).toMatchObject({ phone: PHONE, full_name: 'Ann' });

  const session = newSession();
  const { data } = await signIn(standIn, session.secret);
  expect(data).toMatchObject({ user_id: prepared?.user_id, full_name: 'Ann', has_pin: true, has_safe: true });
  expect(data.session_id).not.toBe(prepared?.keystore?.session_id);
  expect(readLastEntry(standIn)).not.toHaveProperty('created');
  expect((await before.me()).error.code).toBe(401);
  const person = connectSignedIn(standIn, session, data, clock);
  expect((await person.verifyTip(tip, { iterator: 1n })).data.has_pin).toBe(true);

  clock.advance(60_000);
  const again = await signIn(standIn, newSession().secret);
  expect(again.data.user_id).toBe(data.user_id);
  expect((await person.me()).error.code).toBe(401);
  expect(standIn.accounts()).toHaveLength(1);
});

test('a person who signed up signs in the next time', async () => {
  const { clock, standIn } = await setUp();
  const { data } = await signIn(standIn, secret);
  clock.advance(60_000);
  const again = await signIn(standIn, newSession().secret);
  expect(again.data.user_id).toBe(data.user_id);
  expect(again.data.session_id).not.toBe(data.session_id);
  expect(readLastEntry(standIn)).not.toHaveProperty('created');
  expect(standIn.accounts()).toHaveLength(1);
});

test('a phone can belong to an account with an RSA session, and a sign-in changes that to an Ed25519 session', async () => {
  const { clock, standIn, prepared, account } = await setUp({
    account: { session_key: 'rsa', six_digit_pin: '123456' },
  });
  const { keystore } = prepared ?? {};
  if (keystore === undefined || !('client_id' in keystore)) throw new Error('not an RSA keystore');
  const before = connectRsa(standIn, keystore, clock);
  expect((await before.me()).data.has_pin).toBe(true);
  expect((await signIn(standIn, secret)).data.user_id).toBe(keystore.client_id);
  expect(account()).toMatchObject({ session_key: 'ed25519', has_pin: true });
  expect((await before.me()).error.code).toBe(401);
});

test('a verification creates one session only', async () => {
  const { standIn } = await setUp();
  await signIn(standIn, secret);
  const { id, code } = lastCode(standIn);
  const before = standIn.accounts();
  const reply = await sendOpenly(standIn, `/verifications/${id}`, signInFields(code, newSession().secret));
  expect(reply.error.code).toBe(20114);
  expect(readLastEntry(standIn).reason).toBe('the verification is over: it was used');
  expect(standIn.accounts()).toEqual(before);
});

const changeCode = (code: string): string => String((Number(code) + 1) % 10_000).padStart(4, '0');

test('a wrong code is 20113, and after five of them even the right one is 20114', async () => {
  const { clock, standIn } = await setUp();
  const tryCodes = async (wrongTries: number) => {
    await requestCode(standIn);
    const { id, code } = lastCode(standIn);
    const codes = [];
    for (let tries = 0; tries <= wrongTries; tries += 1) {
      const fields = signInFields(tries === wrongTries ? code : changeCode(code), secret);
      const { error } = await sendOpenly(standIn, `/verifications/${id}`, fields);
      codes.push(error?.code);
    }
    return codes;
  };
  expect(await tryCodes(5)).toEqual([20113, 20113, 20113, 20113, 20113, 20114]);
  clock.advance(60_000);
  expect(await tryCodes(4)).toEqual([20113, 20113, 20113, 20113, undefined]);
});

test('a code is valid for five minutes', async () => {
  const { clock, standIn } = await setUp();
  for (const [age, outcome] of [
    [300_000, 20114],
    [299_999, undefined],
  ] as const) {
    await requestCode(standIn);
    const { id, code } = lastCode(standIn);
    clock.advance(age);
    const { error } = await sendOpenly(standIn, `/verifications/${id}`, signInFields(code, secret));
    expect(error?.code).toBe(outcome);
  }
});

test('a new code ends the previous one', async () => {
  const { clock, standIn } = await setUp();
  await requestCode(standIn);
  const first = lastCode(standIn);
  clock.advance(60_000);
  await requestCode(standIn);
  const use = ({ id, code }: typeof first) =>
    sendOpenly(standIn, `/verifications/${id}`, signInFields(code, secret));
  expect((await use(first)).error.code).toBe(20114);
  expect((await use(lastCode(standIn))).data.type).toBe('user');
});

test('an unknown verification is 404', async () => {
  const { standIn } = await setUp();
  await requestCode(standIn);
  const fields = signInFields(lastCode(standIn).code, secret);
  for (const id of [randomUUID(), ':id', 'x'])
    expect((await sendOpenly(standIn, `/verifications/${id}`, fields)).error.code).toBe(404);
  for (const path of ['/verifications/', `/verifications/${lastCode(standIn).id}/`])
    expect((await sendOpenly(standIn, path, fields)).error.code).toBe(404);
});

test.each([
  ['code', { code: undefined }],
  ['code', { code: '' }],
  ['code', { code: 1234 }],
  ['code', { code: '12345' }],
  ['session_secret', { session_secret: undefined }],
  ['session_secret', { session_secret: Buffer.alloc(31, 1).toString('base64') }],
  ['session_secret', { session_secret: Buffer.alloc(32, 2).toString('base64') }],
  ['session_secret', { session_secret: newRsaSession(512).secret }],
  ['platform', { platform: 'Web' }],
  ['platform_version', { platform_version: undefined }],
  ['app_version', { app_version: '' }],
  ['package_name', { package_name: false }],
  ['notification_token', { notification_token: 1 }],
  ['purpose', { purpose: 'DEACTIVATED' }],
  ['registration_id', { registration_id: undefined }],
  ['registration_id', { registration_id: '3702' }],
  ['registration_id', { registration_id: 3702.5 }],
  ['registration_id', { registration_id: -1 }],
  ['registration_id', { registration_id: null }],
])(
  'POST /verifications/:id is 10002 for an invalid %s, and the code stays valid: %j',
  async (field, fields) => {
    const { standIn } = await setUp();
    await requestCode(standIn);
    const { id, code } = lastCode(standIn);
    const right = signInFields(code, secret);
    for (let tries = 0; tries < 6; tries += 1) {
      const { error } = await sendOpenly(standIn, `/verifications/${id}`, { ...right, ...fields });
      expect(error).toMatchObject({ code: 10002, extra: { field } });
    }
    expect(standIn.accounts()).toEqual([]);
    expect((await sendOpenly(standIn, `/verifications/${id}`, right)).data.phone).toBe(PHONE);
  },
);

test('the old page’s fields and both base64 forms of an Ed25519 key are accepted', async () => {
  const { clock, standIn } = await setUp();
  const old = { notification_token: '', package_name: undefined, platform: 'iOS', app_version: '0.2.6' };
  for (const encoding of ['base64', 'base64url'] as const) {
    await requestCode(standIn);
    const { id, code } = lastCode(standIn);
    const session_secret = Buffer.from(secret, 'base64').toString(encoding);
    const fields = { ...signInFields(code, session_secret), ...old };
    expect((await sendOpenly(standIn, `/verifications/${id}`, fields)).data.phone).toBe(PHONE);
    clock.advance(60_000);
  }
});

test('a pending deactivation is shown, and only signing in aborts it', async () => {
  const deactivation_effective_at = new Date(START_MS + 24 * HOUR_MS).toISOString();
  const { clock, standIn, account } = await setUp({ deactivation_effective_at, emergency_contact: true });
  const pending = { requested_at: new Date(START_MS).toISOString(), effective_at: deactivation_effective_at };
  const { data } = await requestCode(standIn);
  expect(data).toMatchObject({
    has_emergency_contact: true,
    contact_id: expect.stringMatching(UUID),
    deactivation_requested_at: pending.requested_at,
    deactivation_effective_at,
  });
  const { id, code } = lastCode(standIn);
  await sendOpenly(standIn, `/verifications/${id}`, signInFields(changeCode(code), secret));
  expect(account().deactivation).toEqual(pending);

  const signedIn = await sendOpenly(standIn, `/verifications/${id}`, signInFields(code, secret));
  expect(signedIn.data.has_emergency_contact).toBe(true);
  const aborted_at = new Date(START_MS).toISOString();
  expect(account().deactivation).toEqual({ ...pending, aborted_at });
  clock.advance(60_000);
  expect((await signIn(standIn, secret)).data.phone).toBe(PHONE);
  expect(account().deactivation).toEqual({ ...pending, aborted_at });
  clock.advance(60_000);
  expect((await requestCode(standIn)).data.deactivation_effective_at).toBe('');
});

test('preparePhone refuses invalid options', async () => {
  const { standIn } = await setUp({ account: {} });
  const { keystore } = await standIn.createUser();
  const phone = '+12025550123';
  for (const wrong of [
    { phone: '12025550123' },
    { phone, captcha: 'turnstile' as 'hcaptcha' },
    { phone, captcha_answer: '' },
    { phone, deactivation_effective_at: 'tomorrow' },
    { phone, account: { user_id: keystore.app_id } },
    { phone, account: { created_by: keystore.app_id } },
    { phone: PHONE, account: {} },
  ])
    expect(() => standIn.preparePhone(wrong)).toThrow(TypeError);
  expect(standIn.accounts()).toHaveLength(2);
});

test('phones and verifications can be managed over HTTP', async () => {
  const { standIn } = await setUp();
  const admin = `${standIn.url}/_stand-in`;
  const prepare = async (body: unknown) => {
    const response = await fetch(`${admin}/phones`, { method: 'POST', body: JSON.stringify(body) });
    return { status: response.status, json: (await response.json()) as Record<string, unknown> };
  };
  expect(await prepare({ phone: PHONE })).toEqual({ status: 200, json: { phone: PHONE } });
  const list = [{ phone: '+12025550123', account: {} }, { phone: '+12025550124' }];
  expect((await prepare(list)).json).toMatchObject([{ keystore: {} }, { phone: '+12025550124' }]);
  expect((await prepare([{ phone: '+12025550125', account: {} }, { phone: '1' }])).status).toBe(400);
  expect(standIn.accounts()).toHaveLength(1);

  await requestCode(standIn);
  const verifications = await fetch(`${admin}/verifications`);
  expect(await verifications.json()).toEqual(standIn.verifications());
  expect(standIn.verifications()).toHaveLength(1);
});

import { createPublicKey } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { createMixinAccounts } from '../../lib/mixin/accounts.ts';
import { createMixinClient } from '../../lib/mixin/client.ts';
import { digestRequest } from '../../lib/mixin/token.ts';
import type { SignInRequest } from '../../lib/model/enrolment.ts';
import type { CodeRequest } from '../../lib/model/ports.ts';
import { pinTokenFor, sessionPem } from './rsa-sessions.ts';
import { json, type ReceivedRequest, type Reply, startServer } from './server.ts';
import { keystore, nowMs, vectors } from './vectors.ts';

const { inputs, v5 } = vectors;
const user_id = '0a1b2c3d-4e5f-4a6b-8c7d-8e9f0a1b2c3d';
const session_id = '1b2c3d4e-5f60-4b7c-9d8e-9f0a1b2c3d4e';
const device_id = '00a5a4ae-dcdc-48db-ab8e-a7eef69b441d';
const verification_id = '2f5ec512-2131-4535-abb5-0defba14480b';
const session_key = inputs.session_seed;
const rsaPublicKey = createPublicKey(sessionPem).export({ type: 'spki', format: 'der' }).toString('base64');

const account = { user_id, session_id, pin_token: v5.pin_token_base64_std, full_name: 'Ann' };
const rsaAccount = { ...account, pin_token: pinTokenFor(Buffer.alloc(32), session_id) };

const codeRequest: CodeRequest = {
  phone: '+8613800013800',
  purpose: 'SESSION',
  device_id,
  platform: 'Android',
  platform_version: '16',
  app_version: '3.0.0',
  package_name: 'one.mixin.messenger',
  captcha: {},
};
const signInRequest: SignInRequest = {
  code: '9718',
  device_id,
  platform: 'iOS',
  platform_version: '11.0',
  app_version: '0.2.6',
  package_name: 'one.mixin.messenger',
  purpose: 'SESSION',
  registration_id: 3702,
};

const accountsAt = (baseUrl: string) =>
  createMixinAccounts(
    createMixinClient({
      baseUrl,
      timeoutMs: 5_000,
      maxAnswerBytes: 10_000,
      tokenLifetimeSeconds: 120,
      now: () => nowMs,
      randomId: () => inputs.request_id,
    }),
  );

const exchange = async <T>(
  reply: Reply,
  act: (accounts: ReturnType<typeof accountsAt>) => Promise<T>,
): Promise<{ result: T; received: ReceivedRequest }> => {
  await using server = await startServer(reply);
  const result = await act(accountsAt(server.url));
  const [received, ...more] = server.received;
  if (received === undefined || more.length > 0) throw new Error('not one request came');
  return { result, received };
};

describe('createUser: POST /users', () => {
  test.each([
    [
      'an Ed25519 key as unpadded base64url',
      session_key,
      account,
      'A6EHv_POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg',
    ],
    ['an RSA key as base64 of its SPKI', sessionPem, rsaAccount, rsaPublicKey],
  ])('createUser sends POST /users, signed by the owner, with %s', async (_, key, data, session_secret) => {
    const { result, received } = await exchange(json({ data }), (accounts) =>
      accounts.createUser(keystore, { full_name: 'Ann', session_key: key }),
    );
    expect([received.method, received.url]).toEqual(['POST', '/users']);
    expect(JSON.parse(received.body)).toEqual({ session_secret, full_name: 'Ann' });
    const token = (received.headers.authorization ?? '').split('.')[1] ?? '';
    expect(JSON.parse(Buffer.from(token, 'base64url').toString())).toMatchObject({
      uid: inputs.user_id,
      sid: inputs.session_id,
      sig: digestRequest('POST', '/users', received.body),
    });
    expect(result).toMatchObject({ user_id, session_id, request_id: inputs.request_id });
    expect('pin_token' in result).toBe(key === sessionPem);
    expect('server_public_key' in result).toBe(key !== sessionPem);
  });

  test('createUser sends its POST once, and a lost answer has the verdict unsure', async () => {
    await using server = await startServer((response) => response.destroy());
    const creation = accountsAt(server.url).createUser(keystore, { full_name: 'Ann', session_key });
    await expect(creation).rejects.toMatchObject({ code: 'no_answer', verdict: 'unsure' });
    expect(server.received).toHaveLength(1);
  });

  test.each(['00', '-----BEGIN RSA PRIVATE KEY-----\nAAAA\n-----END RSA PRIVATE KEY-----'])(
    'createUser sends nothing for the invalid session key %j',
    async (key) => {
      await using server = await startServer(json({ data: account }));
      const creation = accountsAt(server.url).createUser(keystore, { full_name: 'Ann', session_key: key });
      await expect(creation).rejects.toMatchObject({ code: 'bad_keystore' });
      expect(server.received).toHaveLength(0);
    },
  );
});

describe('requestCode: POST /verifications', () => {
  const codeAnswer = { data: { type: 'verification', id: verification_id } };

  test('requestCode sends POST /verifications without a token, and the device in a header', async () => {
    const { result, received } = await exchange(json(codeAnswer), (accounts) =>
      accounts.requestCode(codeRequest),
    );
    expect([received.method, received.url]).toEqual(['POST', '/verifications']);
    expect(received.headers.authorization).toBeUndefined();
    expect(received.headers).toMatchObject({
      'mixin-device-id': device_id,
      'x-request-id': inputs.request_id,
      'content-type': 'application/json',
    });
    const { device_id: _, captcha: __, ...body } = codeRequest;
    expect(JSON.parse(received.body)).toEqual(body);
    expect(result).toEqual({ verification_id, has_emergency_contact: false, request_id: inputs.request_id });
  });

  test('requestCode sends the answer to a captcha, which changes no other field', async () => {
    const captcha = { hcaptcha_response: 'P1_x', phone: '+1', purpose: 'DEACTIVATED' };
    const { received } = await exchange(json(codeAnswer), (accounts) =>
      accounts.requestCode({ ...codeRequest, captcha }),
    );
    expect(JSON.parse(received.body)).toMatchObject({
      hcaptcha_response: 'P1_x',
      phone: codeRequest.phone,
      purpose: 'SESSION',
    });
  });

  test('an error of requestCode says which kind of captcha Mixin asks for', async () => {
    const error = { status: 202, code: 10_005, description: 'hCaptcha is required' };
    await using server = await startServer(json({ error }, 202));
    await expect(accountsAt(server.url).requestCode(codeRequest)).rejects.toMatchObject({
      code: 'captcha_required',
      captcha: 'hcaptcha',
      verdict: 'never',
    });
  });

  test.each(['', 'x', `${device_id}\r\nx: y`])(
    'requestCode refuses the device id %j and sends nothing',
    async (id) => {
      await using server = await startServer(json(codeAnswer));
      const request = accountsAt(server.url).requestCode({ ...codeRequest, device_id: id });
      await expect(request).rejects.toThrow(new TypeError('an id for a path or a header must be a UUID'));
      expect(server.received).toHaveLength(0);
    },
  );
});

describe('signIn: POST /verifications/:id', () => {
  test.each([
    ['an Ed25519 key as base64', session_key, account, 'A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg='],
    ['an RSA key as base64 of its SPKI', sessionPem, rsaAccount, rsaPublicKey],
  ])(
    'signIn sends POST /verifications/:id without a token, with %s',
    async (_, key, data, session_secret) => {
      const { result, received } = await exchange(json({ data }), (accounts) =>
        accounts.signIn(verification_id.toUpperCase(), key, signInRequest),
      );
      expect([received.method, received.url]).toEqual(['POST', `/verifications/${verification_id}`]);
      expect(received.headers.authorization).toBeUndefined();
      expect(received.headers['mixin-device-id']).toBe(device_id);
      expect(JSON.parse(received.body)).toEqual({
        code: '9718',
        session_secret,
        platform: 'iOS',
        platform_version: '11.0',
        app_version: '0.2.6',
        package_name: 'one.mixin.messenger',
        purpose: 'SESSION',
        registration_id: 3702,
      });
      expect(result.account).toMatchObject({ user_id, session_id });
      expect(result.person).toEqual({ full_name: 'Ann' });
    },
  );

  test('signIn can send every request field of the page of 2018', async () => {
    const { received } = await exchange(json({ data: account }), (accounts) =>
      accounts.signIn(verification_id, session_key, { ...signInRequest, notification_token: '' }),
    );
    const page = [
      'code',
      'session_secret',
      'platform',
      'platform_version',
      'app_version',
      'notification_token',
      'purpose',
      'registration_id',
    ];
    expect(Object.keys(JSON.parse(received.body)).sort()).toEqual([...page, 'package_name'].sort());
  });

  test.each(['', '..', `${verification_id}/x`, `${verification_id}?a=b`, verification_id.slice(1)])(
    'signIn refuses the verification id %j and sends nothing',
    async (id) => {
      await using server = await startServer(json({ data: account }));
      const signing = accountsAt(server.url).signIn(id, session_key, signInRequest);
      await expect(signing).rejects.toThrow(new TypeError('an id for a path or a header must be a UUID'));
      expect(server.received).toHaveLength(0);
    },
  );

  test.each([
    [20_113, 'sms_code_wrong'],
    [20_114, 'sms_code_expired'],
    [401, 'forbidden'],
  ])('signIn turns error %i of Mixin into %s', async (number, code) => {
    await using server = await startServer(json({ error: { status: 202, code: number } }, 202));
    const signing = accountsAt(server.url).signIn(verification_id, session_key, signInRequest);
    await expect(signing).rejects.toMatchObject({ code, verdict: 'never', mixin_code: number });
    expect(server.received).toHaveLength(1);
  });
});

/**
 * A client that can make every mistake. Its key agreement and signatures come from the official SDK, so that it
 * shares no code with the server under test.
 */
import { createCipheriv, createHash, randomBytes, randomUUID } from 'node:crypto';
import {
  getKeyPair,
  sharedEd25519Key,
  signSafeRegistration,
  signTipBody,
  signToken,
} from '@mixin.dev/mixin-node-sdk';
import { afterEach } from 'vitest';
import {
  type CreatedUser,
  type LedgerEntry,
  type MixinStandIn,
  type NewUser,
  type StandInOptions,
  startMixinStandIn,
} from '../../../emulators/mixin/server.ts';

export type Keystore = CreatedUser['keystore'];

export const START_MS = 1_700_000_000_000;
export const HOUR_MS = 3_600_000;
export const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** A clock that moves only by advance(). */
export const createClock = (startMs = START_MS) => {
  let nowMs = startMs;
  return {
    now: () => nowMs,
    advance: (byMs: number) => {
      nowMs += byMs;
    },
  };
};
export type Clock = ReturnType<typeof createClock>;

const running: MixinStandIn[] = [];
afterEach(async () => {
  await Promise.all(running.splice(0).map((standIn) => standIn.stop()));
});

/** Starts a stand-in that is stopped after the test. */
export const start = async (options: StandInOptions = {}): Promise<MixinStandIn> => {
  const standIn = await startMixinStandIn(options);
  running.push(standIn);
  return standIn;
};

export const newKey = () => {
  const { seed, publicKey } = getKeyPair();
  return { private_key: seed.toString('hex'), public_key: publicKey.toString('hex') };
};
export type Key = ReturnType<typeof newKey>;

export interface Reply {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  readonly data: Record<string, unknown>;
  readonly error: { status: number; code: number; description: string; extra?: Record<string, string> };
}

export interface TokenOverrides {
  readonly claims?: Readonly<Record<string, unknown>>;
  readonly token?: string;
  /** The seed that signs the token. */
  readonly seed?: string;
  /** What `sig` covers instead of method, target and body. */
  readonly signed?: string;
  readonly request_id?: string | null;
}

export interface PinOverrides {
  readonly iterator?: bigint;
  readonly seconds?: number;
  readonly encoding?: 'base64' | 'base64url';
  readonly server_public_key?: string;
  /** Instead of PKCS#7. */
  readonly padding?: Uint8Array;
}

type Claims = Parameters<typeof signToken>[0];

/** How a session proves itself and encrypts its PINs. */
export interface SessionKeys {
  sign(claims: Claims, seed?: string): string;
  pinKey(server_public_key?: string): Uint8Array;
}

const createSessionKeys = (keystore: Keystore): SessionKeys => ({
  sign: (claims, seed = keystore.session_private_key) => signToken(claims, seed),
  pinKey: (server_public_key = keystore.server_public_key) =>
    sharedEd25519Key({ ...keystore, server_public_key }),
});

const readReply = async (response: Response): Promise<Reply> => {
  const text = await response.text();
  const json = text.startsWith('{') ? (JSON.parse(text) as Record<string, unknown>) : {};
  return {
    status: response.status,
    headers: response.headers,
    text,
    data: json.data as Reply['data'],
    error: json.error as Reply['error'],
  };
};

/** A call without a token. */
export const sendOpenly = async (
  standIn: Pick<MixinStandIn, 'url'>,
  target: string,
  fields: unknown,
  headers: Readonly<Record<string, string>> = {},
): Promise<Reply> =>
  readReply(
    await fetch(standIn.url + target, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', ...headers },
      body: typeof fields === 'string' ? fields : JSON.stringify(fields),
    }),
  );

export const connect = (
  standIn: MixinStandIn,
  keystore: Keystore,
  clock: Pick<Clock, 'now'>,
  sessionKeys: SessionKeys = createSessionKeys(keystore),
) => {
  let iterator = BigInt(clock.now()) * 1_000_000n;

  const token = (
    method: string,
    target: string,
    body: string,
    jti: string,
    overrides: TokenOverrides = {},
  ): string => {
    const iat = Math.floor(clock.now() / 1_000);
    const sig = createHash('sha256')
      .update(overrides.signed ?? method + target + body)
      .digest('hex');
    const claims = {
      uid: keystore.app_id,
      sid: keystore.session_id,
      iat,
      exp: iat + 60,
      jti,
      sig,
      scp: 'FULL',
    };
    // A round trip through JSON: the SDK would write an undefined claim as the word undefined.
    const changedClaims = JSON.parse(JSON.stringify({ ...claims, ...overrides.claims })) as typeof claims;
    return sessionKeys.sign(changedClaims, overrides.seed);
  };

  const send = async (
    method: string,
    target: string,
    fields?: unknown,
    overrides: TokenOverrides = {},
  ): Promise<Reply> => {
    const body = fields === undefined ? '' : typeof fields === 'string' ? fields : JSON.stringify(fields);
    const jti = randomUUID();
    const request_id = overrides.request_id === undefined ? jti : overrides.request_id;
    const response = await fetch(standIn.url + target, {
      method,
      redirect: 'manual',
      headers: {
        Authorization: `Bearer ${overrides.token ?? token(method, target, body, jti, overrides)}`,
        'Content-Type': 'application/json',
        ...(request_id === null ? {} : { 'X-Request-Id': request_id }),
      },
      ...(body === '' ? {} : { body }),
    });
    return readReply(response);
  };

  const encrypt = (pin: Uint8Array, overrides: PinOverrides = {}): string => {
    iterator += 1n;
    const numbers = Buffer.alloc(16);
    numbers.writeBigUInt64LE(BigInt(overrides.seconds ?? Math.floor(clock.now() / 1_000)), 0);
    numbers.writeBigUInt64LE(overrides.iterator ?? iterator, 8);
    const iv = randomBytes(16);
    const cipher = createCipheriv('aes-256-cbc', sessionKeys.pinKey(overrides.server_public_key), iv);
    cipher.setAutoPadding(overrides.padding === undefined);
    const encrypted = [
      cipher.update(pin),
      cipher.update(numbers),
      cipher.update(overrides.padding ?? Buffer.alloc(0)),
    ];
    return Buffer.concat([iv, ...encrypted, cipher.final()]).toString(overrides.encoding ?? 'base64url');
  };

  const tipPin = (public_key: string, counter = 1n): Buffer => {
    const suffix = Buffer.alloc(8);
    suffix.writeBigUInt64BE(counter);
    return Buffer.concat([Buffer.from(public_key, 'hex'), suffix]);
  };

  const tipProof = (tip: Key, timestamp: string | number): Buffer =>
    Buffer.from(
      signTipBody(tip.private_key, Buffer.from(`TIP:VERIFY:${String(timestamp).padStart(32, '0')}`)),
      'hex',
    );

  return {
    keystore,
    token,
    send,
    encrypt,
    tipPin,
    tipProof,
    me: () => send('GET', '/safe/me'),
    setTip: (tip: Key, overrides: PinOverrides = {}) =>
      send('POST', '/pin/update', {
        old_pin_base64: '',
        pin_base64: encrypt(tipPin(tip.public_key), overrides),
      }),
    verifyTip: (tip: Key, overrides: PinOverrides = {}) => {
      const timestamp = `${clock.now()}000123`;
      const pin_base64 = encrypt(tipProof(tip, timestamp), overrides);
      return send('POST', '/pin/verify', `{"pin_base64":"${pin_base64}","timestamp":${timestamp}}`);
    },
    registration: (spend: Key, tip: Key, overrides: PinOverrides = {}) => {
      const registration = signSafeRegistration(
        keystore.app_id,
        tip.private_key,
        Buffer.from(spend.private_key, 'hex'),
      );
      return { ...registration, pin_base64: encrypt(Buffer.from(registration.pin_base64, 'hex'), overrides) };
    },
    register(spend: Key, tip: Key, overrides: PinOverrides = {}) {
      return send('POST', '/safe/users', this.registration(spend, tip, overrides));
    },
  };
};
export type Client = ReturnType<typeof connect>;

export const newClient = async (standIn: MixinStandIn, clock: Pick<Clock, 'now'>, user: NewUser = {}) =>
  connect(standIn, (await standIn.createUser(user)).keystore, clock);

export const findAccount = (standIn: MixinStandIn, client: Client) => {
  const account = standIn.accounts().find(({ user_id }) => user_id === client.keystore.app_id);
  if (account === undefined) throw new Error('there is no such account');
  return account;
};

export const readLastEntry = (standIn: MixinStandIn): LedgerEntry => {
  const entry = standIn.ledger().at(-1);
  if (entry === undefined) throw new Error('the ledger is empty');
  return entry;
};

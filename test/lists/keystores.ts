/** Random bots, and their keystores as each tool writes them (the formats of docs/keystores.md). */
import { constants, createHash, generateKeyPairSync, publicEncrypt, randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { derivePublicKey, toX25519PublicKey } from '../../lib/mixin/keys.ts';

export const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const fromHex = (text: string): Buffer => Buffer.from(text, 'hex');

const L = 2n ** 252n + 27742317777372353535851937790883648493n;

/** The reduced scalar of a seed, as fox-one's tools store it. */
export const scalarOf = (seed: string): string => {
  const bytes = createHash('sha512').update(fromHex(seed)).digest().subarray(0, 32);
  bytes[0] = (bytes[0] ?? 0) & 248;
  bytes[31] = ((bytes[31] ?? 0) & 127) | 64;
  const scalar = BigInt(`0x${hex(bytes.reverse())}`) % L;
  return hex(fromHex(scalar.toString(16).padStart(64, '0')).reverse());
};

/** A seed that could be a scalar too, as one in sixteen could. */
export const doubtfulSeed = (): string => hex(Buffer.concat([randomBytes(31), Buffer.of(5)]));
/** A seed that cannot be a scalar. */
export const clearSeed = (): string => hex(Buffer.concat([randomBytes(31), Buffer.of(0xf5)]));

/** Server key as an X25519 key, in hex. */
export const imageOf = (serverKey: string): string => hex(toX25519PublicKey(fromHex(serverKey)));

/** The key that PINs are encrypted with, encrypted to an RSA session. */
export const pinTokenFor = (key: RsaKey, session_id: string): Buffer =>
  publicEncrypt(
    {
      key: key.public,
      padding: constants.RSA_PKCS1_OAEP_PADDING,
      oaepHash: 'sha256',
      oaepLabel: Buffer.from(session_id),
    },
    randomBytes(32),
  );

const newRsaKey = (modulusLength: number) => {
  const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength });
  const pem = (type: 'pkcs1' | 'pkcs8') => privateKey.export({ type, format: 'pem' }).toString();
  const der = publicKey.export({ type: 'spki', format: 'der' });
  return { pkcs1: pem('pkcs1'), pkcs8: pem('pkcs8'), public: publicKey, der: der.toString('base64') };
};
export type RsaKey = ReturnType<typeof newRsaKey>;
/** Generated once, because it takes long. */
export const rsaKeys = [newRsaKey(1024), newRsaKey(2048)] as const;

const uuid = fc.uuid();
const key = fc.uint8Array({ minLength: 32, maxLength: 32 }).map(hex);
const digits = fc.stringMatching(/^\d{6}$/);
const pem = fc.constantFrom(
  (text: string) => text,
  (text: string) => text.trim(),
  (text: string) => text.replaceAll('\n', '\r\n'),
  (text: string) => text.replaceAll('\n', '\\r\\n'),
  (text: string) => text.replaceAll('\n', '\\n'),
  (text: string) => text.trim().replaceAll('\n', ' '),
);
const cased = fc.constantFrom(
  (text: string) => text,
  (text: string) => text.toUpperCase(),
);
const base64 = fc.constantFrom(
  (bytes: Buffer) => bytes.toString('base64'),
  (bytes: Buffer) => bytes.toString('base64url'),
  (bytes: Buffer) => bytes.toString('base64').replace(/=+$/, ''),
  (bytes: Buffer) => bytes.toString('base64').replaceAll('+', '-').replaceAll('/', '_'),
);

/** An account with an Ed25519 session, all private keys as seeds. */
export interface Bot {
  readonly id: string;
  readonly session_id: string;
  readonly session: string;
  /** Mixin's Ed25519 point. */
  readonly server: string;
  readonly spend?: string;
  readonly tip?: string;
  readonly digits?: string;
}

export const bot: fc.Arbitrary<Bot> = fc.record(
  { id: uuid, session_id: uuid, session: key, server: key, spend: key, tip: key, digits },
  { requiredKeys: ['id', 'session_id', 'session', 'server'] },
);

/** One way to write each kind of value. */
const writing = fc.record({
  cased,
  base64,
  /** A private key of 32 bytes, as both halves or as the seed alone, in hex or base64. */
  isWhole: fc.boolean(),
  isHex: fc.boolean(),
});
type Style = typeof writing extends fc.Arbitrary<infer T> ? T : never;

/** Seed, or seed and public key. */
const encodeKey = async (seed: string, { isWhole, isHex, ...how }: Style): Promise<string> => {
  const whole = isWhole ? seed + (await derivePublicKey(seed)) : seed;
  return isHex ? how.cased(whole) : how.base64(fromHex(whole));
};

export type RowFields = Readonly<Record<string, unknown>>;
type Writer = (bot: Bot, how: Style) => Promise<RowFields>;

const writePin = async ({ tip, digits: pin }: Bot, how: Style): Promise<RowFields> => {
  if (tip !== undefined) return { pin: await encodeKey(tip, how) };
  return pin === undefined ? { pin: '' } : { pin };
};

/** By the letters of docs/keystores.md. C is for RSA sessions: see rsaSample. */
export const writers: Readonly<Record<string, Writer>> = {
  A: async (it, how) => ({
    app_id: how.cased(it.id),
    session_id: it.session_id,
    server_public_key: how.cased(await derivePublicKey(it.server)),
    session_private_key: how.cased(it.session),
    ...(it.spend && { spend_private_key: await encodeKey(it.spend, how) }),
    ...(it.tip && { tip_private_key: await encodeKey(it.tip, how) }),
    ...(!it.tip && it.digits && { pin: it.digits }),
  }),
  B: async (it, how) => ({
    client_id: it.id,
    session_id: how.cased(it.session_id),
    pin_token: how.base64(fromHex(imageOf(await derivePublicKey(it.server)))),
    private_key: await encodeKey(it.session, { ...how, isWhole: true, isHex: false }),
    client_secret: 'a secret',
    ...(it.spend && { spend_private_key: it.spend }),
    ...(await writePin(it, how)),
  }),
  D: async (it, how) => ({
    app_id: it.id,
    session_id: it.session_id,
    session_private_key: how.cased(it.session),
    pin_token_base64: how.base64(fromHex(imageOf(await derivePublicKey(it.server)))),
    ...(it.spend && { spend_private_key: it.spend }),
    ...(await writePin(it, how)),
  }),
  E: async (it, how) => ({
    user_id: it.id,
    session_id: it.session_id,
    server_public_key: await derivePublicKey(it.server),
    session_private_key: await encodeKey(it.session, how),
    ...(it.spend && { spend_private_key: it.spend }),
    ...(await writePin(it, how)),
  }),
  F: async (it, how) => ({
    user_id: it.id,
    session_id: it.session_id,
    session_private_key: it.session,
    ...(it.spend && { spend_key: await encodeKey(it.spend, { ...how, isWhole: true }) }),
    pin_token_base64: how.base64(fromHex(imageOf(await derivePublicKey(it.server)))),
    ...(await writePin(it, how)),
  }),
  G: async (it, how) => ({
    client_id: it.id,
    session_id: it.session_id,
    pin_token: how.base64(fromHex(imageOf(await derivePublicKey(it.server)))),
    private_key: await encodeKey(it.session, how),
    scope: 'PROFILE:READ',
    extra_claims: { a: [1] },
    // fox-one's own form, and the seed, which shows that it is a scalar.
    ...(it.spend && { spend_key: scalarOf(it.spend), spend_private_key: it.spend }),
    ...(await writePin(it, how)),
  }),
  H: async (it, how) => ({
    app_id: it.id,
    session_id: it.session_id,
    server_public_key: how.cased(await derivePublicKey(it.server)),
    session_private_key: await encodeKey(it.session, { ...how, isWhole: true, isHex: true }),
    mixin_id: '7000103061',
    ...(it.spend && { safe_key: await encodeKey(it.spend, { ...how, isWhole: true, isHex: true }) }),
    ...(await writePin(it, how)),
  }),
  I: async (it, how) => ({
    user_id: it.id,
    session_id: it.session_id,
    pin_token: how.cased(await derivePublicKey(it.server)),
    private_key: how.cased(it.session),
    ...(it.spend && { spend_private_key: it.spend }),
    ...(await writePin(it, how)),
  }),
};

export interface Sample {
  readonly format: string;
  readonly fields: Promise<RowFields>;
  /** The keystore in its normal form; the server key may have lost its sign. */
  readonly keystore: Promise<Readonly<Record<string, string>>>;
}

const normal = async (it: Bot) => ({
  app_id: it.id,
  session_id: it.session_id,
  server_public_key: await derivePublicKey(it.server),
  session_private_key: it.session,
  ...(it.spend && { spend_private_key: it.spend }),
  ...(it.tip && { tip_private_key: it.tip }),
  ...(!it.tip && it.digits && { pin: it.digits }),
});

const ed25519Sample: fc.Arbitrary<Sample> = fc
  .tuple(bot, fc.constantFrom(...Object.keys(writers)), writing)
  .map(([it, format, how]) => ({
    format,
    fields: (writers[format] as Writer)(it, how),
    keystore: normal(it),
  }));

const rsaSample: fc.Arbitrary<Sample> = fc
  .record({
    id: uuid,
    session_id: uuid,
    rsa: fc.constantFrom(...rsaKeys),
    pkcs: fc.constantFrom('pkcs1', 'pkcs8'),
    pem,
    base64,
    name: fc.constantFrom('pin_token', 'pin_token_base64'),
    digits,
  })
  .map(({ id, session_id, rsa, name, ...how }) => {
    const token = pinTokenFor(rsa, session_id);
    const encodeKey: RowFields = {
      client_id: id,
      session_id,
      [name]: how.base64(token),
      private_key: how.pem(rsa[how.pkcs as 'pkcs1']),
      pin: how.digits,
    };
    const keystore = {
      app_id: id,
      session_id,
      pin_token: token.toString('base64'),
      private_key: rsa.pkcs1,
      pin: how.digits,
    };
    return { format: 'C', fields: Promise.resolve(encodeKey), keystore: Promise.resolve(keystore) };
  });

export const sample = fc.oneof({ weight: 6, arbitrary: ed25519Sample }, { weight: 1, arbitrary: rsaSample });

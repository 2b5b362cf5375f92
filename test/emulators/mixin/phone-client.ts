/**
 * The sessions of apps and old programs: an Ed25519 session with nothing but a `pin_token`, and an RSA session. Their
 * cryptography is that of node:crypto alone.
 */
import {
  constants,
  createHash,
  createPrivateKey,
  createPublicKey,
  diffieHellman,
  generateKeyPairSync,
  privateDecrypt,
  sign,
} from 'node:crypto';
import type { CreatedLegacyUser, MixinStandIn } from '../../../emulators/mixin/server.ts';
import { type Client, type Clock, connect, type SessionKeys, sendOpenly } from './client.ts';

export type LegacyKeystore = CreatedLegacyUser['keystore'];

const jwt = (alg: string, claims: unknown, signText: (text: Buffer) => Buffer): string => {
  const parts = [{ alg, typ: 'JWT' }, claims].map((part) =>
    Buffer.from(JSON.stringify(part)).toString('base64url'),
  );
  const text = parts.join('.');
  return `${text}.${signText(Buffer.from(text)).toString('base64url')}`;
};

export const createRsaSessionKeys = (keystore: LegacyKeystore): SessionKeys => ({
  sign: (claims) => jwt('RS512', claims, (text) => sign('sha512', text, keystore.private_key)),
  pinKey: () =>
    privateDecrypt(
      {
        key: keystore.private_key,
        padding: constants.RSA_PKCS1_OAEP_PADDING,
        oaepHash: 'sha256',
        oaepLabel: Buffer.from(keystore.session_id),
      },
      Buffer.from(keystore.pin_token, 'base64'),
    ),
});

export const connectRsa = (
  standIn: MixinStandIn,
  keystore: LegacyKeystore,
  clock: Pick<Clock, 'now'>,
): Client => {
  const { client_id: app_id, session_id } = keystore;
  const names = { app_id, session_id, server_public_key: '', session_private_key: '' };
  return connect(standIn, names, clock, createRsaSessionKeys(keystore));
};

/** The DER before the 32 bytes of a key (RFC 8410). */
const PKCS8_X25519 = Buffer.from('302e020100300506032b656e04220420', 'hex');
const SPKI_X25519 = Buffer.from('302a300506032b656e032100', 'hex');

const x25519 = (seed: Buffer, pin_token: string): Buffer => {
  const scalar = createHash('sha512').update(seed).digest().subarray(0, 32);
  const der = (prefix: Buffer, raw: Buffer) => Buffer.concat([prefix, raw]);
  return diffieHellman({
    privateKey: createPrivateKey({ key: der(PKCS8_X25519, scalar), format: 'der', type: 'pkcs8' }),
    publicKey: createPublicKey({
      key: der(SPKI_X25519, Buffer.from(pin_token, 'base64')),
      format: 'der',
      type: 'spki',
    }),
  });
};

/** A session key as the apps create it. */
export const newSession = () => {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  const seed = privateKey.export({ format: 'der', type: 'pkcs8' }).subarray(-32);
  const raw = publicKey.export({ format: 'der', type: 'spki' }).subarray(-32);
  return { privateKey, seed, secret: raw.toString('base64') };
};
export type NewSession = ReturnType<typeof newSession>;

export const newRsaSession = (modulusLength = 1_024) => {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength });
  return {
    pem: privateKey.export({ format: 'pem', type: 'pkcs1' }).toString(),
    secret: publicKey.export({ format: 'der', type: 'spki' }).toString('base64'),
  };
};

/** A client for the session of a sign-in answer; it reads only what every client reads. */
export const connectSignedIn = (
  standIn: MixinStandIn,
  session: NewSession,
  data: Record<string, unknown>,
  clock: Pick<Clock, 'now'>,
): Client => {
  const { user_id, session_id, pin_token } = data as Record<string, string>;
  const names = {
    app_id: String(user_id),
    session_id: String(session_id),
    server_public_key: '',
    session_private_key: session.seed.toString('hex'),
  };
  return connect(standIn, names, clock, {
    sign: (claims) => jwt('EdDSA', claims, (text) => sign(null, text, session.privateKey)),
    pinKey: () => x25519(session.seed, String(pin_token)),
  });
};

export const PHONE = '+8613800013800';

/** POST /verifications as the apps send it. */
export const requestCode = (
  standIn: MixinStandIn,
  fields: Readonly<Record<string, unknown>> = {},
  headers: Readonly<Record<string, string>> = {},
) =>
  sendOpenly(
    standIn,
    '/verifications',
    { phone: PHONE, purpose: 'SESSION', platform: 'iOS', package_name: 'one.mixin.messenger', ...fields },
    headers,
  );

/** The fields of POST /verifications/:id, in the form of today's apps. */
export const signInFields = (code: string, session_secret: string) => ({
  code,
  session_secret,
  platform: 'Android',
  platform_version: '15',
  app_version: '3.4.0',
  package_name: 'one.mixin.messenger',
  purpose: 'SESSION',
  registration_id: 3_702,
});

/** The code that was sent last. */
export const lastCode = (standIn: MixinStandIn) => {
  const verification = standIn.verifications().at(-1);
  if (verification === undefined) throw new Error('no code was sent');
  return verification;
};

/** Requests a code and signs in with it. */
export const signIn = async (
  standIn: MixinStandIn,
  session_secret: string,
  fields: Readonly<Record<string, unknown>> = {},
) => {
  await requestCode(standIn, fields);
  const { id, code } = lastCode(standIn);
  return sendOpenly(standIn, `/verifications/${id}`, signInFields(code, session_secret));
};

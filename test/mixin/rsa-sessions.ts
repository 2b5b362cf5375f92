/** RSA sessions, with Mixin's side of them by node:crypto alone. The keys are generated at start. */
import { constants, createPublicKey, generateKeyPairSync, publicEncrypt } from 'node:crypto';
import fc from 'fast-check';
import type { RsaKeystore } from '../../lib/model/keystore.ts';
import { vectors } from './vectors.ts';

const { inputs } = vectors;

/** An RSA private key as PKCS#1 PEM. */
export const rsaPem = (modulusLength: number): string =>
  generateKeyPairSync('rsa', { modulusLength })
    .privateKey.export({ type: 'pkcs1', format: 'pem' })
    .toString();

/** As the accounts of 2018 have it. */
export const sessionPem = rsaPem(1024);

export const ed25519Pem = generateKeyPairSync('ed25519')
  .privateKey.export({ type: 'pkcs8', format: 'pem' })
  .toString();

/** The pin_token that Mixin would make for a session: RSA-OAEP, SHA-256, labelled with the session's id. */
export const pinTokenFor = (content: Uint8Array, session_id: string, pem = sessionPem): string =>
  publicEncrypt(
    {
      key: createPublicKey(pem),
      padding: constants.RSA_PKCS1_OAEP_PADDING,
      oaepHash: 'sha256',
      oaepLabel: Buffer.from(session_id),
    },
    content,
  ).toString('base64');

export const aesKeys = fc
  .constantFrom(16, 24, 32)
  .chain((length) => fc.uint8Array({ minLength: length, maxLength: length }));

/** The frozen bot, with an RSA session whose PINs are encrypted with this key. */
export const createRsaKeystore = (aesKey: Uint8Array): RsaKeystore => ({
  app_id: inputs.user_id,
  session_id: inputs.session_id,
  private_key: sessionPem,
  pin_token: pinTokenFor(aesKey, inputs.session_id),
});

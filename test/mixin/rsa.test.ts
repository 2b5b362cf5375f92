import { createPrivateKey, createPublicKey, generateKeyPairSync } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  canDecryptPinToken,
  decryptPinToken,
  generateRsaKey,
  readRsaKey,
  signByRsa,
} from '../../lib/mixin/rsa.ts';
import { aesKeys, ed25519Pem, pinTokenFor, rsaPem, sessionPem } from './rsa-sessions.ts';
import { hex, vectors } from './vectors.ts';

const { session_id, user_id } = vectors.inputs;

const pkcs8 = createPrivateKey(sessionPem).export({ type: 'pkcs8', format: 'pem' }).toString();
const publicPem = createPublicKey(sessionPem).export({ type: 'spki', format: 'pem' }).toString();
const encrypted = createPrivateKey(sessionPem)
  .export({ type: 'pkcs8', format: 'pem', cipher: 'aes-128-cbc', passphrase: 'x' })
  .toString();
const pssPem = generateKeyPairSync('rsa-pss', { modulusLength: 1024 })
  .privateKey.export({ type: 'pkcs8', format: 'pem' })
  .toString();

describe('valid RSA keys', () => {
  test.each([
    ['PKCS#1', sessionPem],
    ['PKCS#8', pkcs8],
    ['without its last line end', sessionPem.trim()],
    ['with CRLF', sessionPem.replaceAll('\n', '\r\n')],
    ['with the letters \\n', sessionPem.replaceAll('\n', '\\n')],
    ['with the letters \\r\\n', pkcs8.replaceAll('\n', '\\r\\n')],
  ])('an RSA key has one normal form, whether it is %s', (_, pem) => {
    expect(readRsaKey(pem)).toEqual({
      pem: sessionPem,
      public_key: publicPem.split('\n').slice(1, -2).join(''),
      bits: 1024,
    });
  });

  test('the public half of an RSA key is as long as the sample of the page', () => {
    // The session_secret that the page of 2018 shows.
    const sample =
      'MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDMTuli9K9k7F+L7Rq34se23nQeV2yvjVGCZyRTbp8qNASnRq6N679ZflgVxNUsr2qkHN4eqvafrQ9IIcRXfofMlWWIU6MrgVVD0UEVyH4jKA5gUr4smU/SDnVLqb3TojYMELIKHgqnrjqDJ0b+vMUG1Iix4fi+CvjSiJzsWPOavQIDAQAB';
    const ours = readRsaKey(sessionPem)?.public_key ?? '';
    expect(ours).toHaveLength(sample.length);
    expect(ours.slice(0, 38)).toBe(sample.slice(0, 38));
  });

  test('a new RSA key has 2048 bits and is in its normal form', async () => {
    const pem = await generateRsaKey();
    expect(readRsaKey(pem)).toMatchObject({ pem, bits: 2048 });
    expect(await generateRsaKey()).not.toBe(pem);
  });
});

describe('invalid RSA keys', () => {
  test.each([
    ['an empty text', ''],
    ['fewer than 1024 bits', rsaPem(512)],
    ['a public key', publicPem],
    ['a key under a passphrase', encrypted],
    ['Ed25519', ed25519Pem],
    ['RSA-PSS', pssPem],
    ['half a key', sessionPem.slice(0, 400)],
    ['a seed', vectors.inputs.session_seed],
    ['longer than any key', sessionPem + ' '.repeat(10_000)],
  ])('an RSA key is refused: %s', (_, pem) => {
    expect(readRsaKey(pem)).toBeUndefined();
    expect(() => signByRsa(Buffer.from('x'), pem)).toThrow(expect.objectContaining({ code: 'bad_keystore' }));
    expect(canDecryptPinToken(pem, pinTokenFor(Buffer.alloc(32), session_id), session_id)).toBe(false);
  });
});

describe('a pin_token', () => {
  test('a pin_token decrypts to what Mixin put in, with either form of the key', () => {
    fc.assert(
      fc.property(aesKeys, (aesKey) => {
        const token = pinTokenFor(aesKey, session_id);
        expect(hex(decryptPinToken(sessionPem, token, session_id))).toBe(hex(aesKey));
        expect(hex(decryptPinToken(pkcs8, token, session_id))).toBe(hex(aesKey));
        expect(canDecryptPinToken(sessionPem, token, session_id)).toBe(true);
      }),
      { numRuns: 20 },
    );
  });

  test('a pin_token does not decrypt with another session id, or another key', () => {
    const token = pinTokenFor(Buffer.alloc(32), session_id);
    expect(canDecryptPinToken(sessionPem, token, user_id)).toBe(false);
    expect(canDecryptPinToken(rsaPem(1024), token, session_id)).toBe(false);
  });

  test.each([0, 15, 17, 20, 31, 33, 62])('a pin_token that holds %i bytes is refused', (length) => {
    const token = pinTokenFor(Buffer.alloc(length), session_id);
    expect(canDecryptPinToken(sessionPem, token, session_id)).toBe(false);
    const opening = () => decryptPinToken(sessionPem, token, session_id);
    expect(opening).toThrow(expect.objectContaining({ code: 'bad_keystore' }));
  });

  test.each(['', 'AAAA', '!!!', vectors.v5.pin_token_base64_std])('%j is not a pin_token', (token) => {
    expect(canDecryptPinToken(sessionPem, token, session_id)).toBe(false);
  });
});

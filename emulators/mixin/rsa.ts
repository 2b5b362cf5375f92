/**
 * The RSA half of sessions, as clients had them before Ed25519: tokens by RS512, and a random key for PINs that the
 * server seals for the client's public key.
 */
import {
  constants,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  publicEncrypt,
  verify,
} from 'node:crypto';

/** What the clients of that time created; smaller keys are refused. */
const MODULUS_BITS = 1_024;

const readPublicKey = (spki: string): KeyObject =>
  createPublicKey({ key: Buffer.from(spki, 'base64'), format: 'der', type: 'spki' });

const writePublicKey = (key: KeyObject): string =>
  key.export({ format: 'der', type: 'spki' }).toString('base64');

const isLargeEnough = ({ asymmetricKeyType, asymmetricKeyDetails }: KeyObject): boolean => {
  const { modulusLength = 0, publicExponent = 0n } = asymmetricKeyDetails ?? {};
  return (
    asymmetricKeyType === 'rsa' &&
    modulusLength >= MODULUS_BITS &&
    publicExponent > 2n &&
    publicExponent % 2n === 1n
  );
};

/** Whether this is padded standard base64 of the DER of an RSA SubjectPublicKeyInfo, with nothing before or after. */
export const isRsaPublicKey = (spki: string): boolean => {
  try {
    const key = readPublicKey(spki);
    return isLargeEnough(key) && writePublicKey(key) === spki;
  } catch {
    return false;
  }
};

export interface RsaKeyPair {
  /** PKCS#1, PEM. */
  readonly private_key: string;
  /** SubjectPublicKeyInfo, DER in standard base64. */
  readonly public_key: string;
}

const readPrivateKey = (pem: string): KeyObject => {
  try {
    const key = createPrivateKey(pem);
    if (isLargeEnough(key)) return key;
  } catch {
    // Reported below, without the text of the key.
  }
  throw new TypeError(`the private key of an RSA session is a PEM of ${MODULUS_BITS} bits or more`);
};

/** The pair of this private key in PEM, or a new one. */
export const readRsaKeyPair = (pem: string | undefined): RsaKeyPair => {
  const key =
    pem === undefined
      ? generateKeyPairSync('rsa', { modulusLength: MODULUS_BITS }).privateKey
      : readPrivateKey(pem);
  return {
    private_key: key.export({ format: 'pem', type: 'pkcs1' }).toString(),
    public_key: writePublicKey(createPublicKey(key)),
  };
};

/** RSA-OAEP with SHA-256, also in MGF1, and the session's id for a label: clients get the result as `pin_token`. */
export const sealPinKey = (spki: string, session_id: string, pinKey: Uint8Array): Buffer =>
  publicEncrypt(
    {
      key: readPublicKey(spki),
      padding: constants.RSA_PKCS1_OAEP_PADDING,
      oaepHash: 'sha256',
      oaepLabel: Buffer.from(session_id),
    },
    pinKey,
  );

/** RSASSA-PKCS1-v1_5 with SHA-512. */
export const isSignedRs512 = (spki: string, message: Uint8Array, signature: Uint8Array): boolean =>
  verify('sha512', message, { key: readPublicKey(spki), padding: constants.RSA_PKCS1_PADDING }, signature);

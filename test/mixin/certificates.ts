/** X.509 certificates for tests (RFC 5280), their keys made at start: node:crypto reads such, but makes none. */
import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto';

export interface Certificate {
  readonly cert: string;
  readonly key: string;
  readonly name: string;
  readonly privateKey: KeyObject;
}

export interface CertificateRequest {
  readonly name: string;
  /** @default itself */
  readonly issuer?: Certificate;
  readonly isAuthority?: boolean;
  /** Days from now. */
  readonly from?: number;
  readonly to?: number;
}

const DAY_MS = 86_400_000;

/** Tag, length, content (X.690). */
const der = (tag: number, ...contents: readonly Uint8Array[]): Buffer => {
  const content = Buffer.concat(contents);
  const { length } = content;
  if (length < 128) return Buffer.concat([Buffer.from([tag, length]), content]);
  const hex = length.toString(16);
  const bytes = Buffer.from(hex.padStart(hex.length + (hex.length % 2), '0'), 'hex');
  return Buffer.concat([Buffer.from([tag, 128 + bytes.length]), bytes, content]);
};

const sequence = (...parts: readonly Uint8Array[]) => der(0x30, ...parts);
const integer = (value: number) => der(0x02, Buffer.from([value]));
const oid = (hex: string) => der(0x06, Buffer.from(hex, 'hex'));
const utf8 = (text: string) => der(0x0c, Buffer.from(text));
const bits = (data: Uint8Array) => der(0x03, Buffer.from([0]), data);
const octets = (data: Uint8Array) => der(0x04, data);
const yes = Buffer.from('0101ff', 'hex');

const ECDSA_SHA256 = sequence(oid('2a8648ce3d040302'));
const COMMON_NAME = '550403';
const BASIC_CONSTRAINTS = '551d13';
const ALTERNATIVE_NAME = '551d11';

const nameOf = (text: string) => sequence(der(0x31, sequence(oid(COMMON_NAME), utf8(text))));

/** UTCTime, YYMMDDHHMMSSZ. */
const timeOf = (days: number) =>
  der(
    0x17,
    Buffer.from(
      `${new Date(Date.now() + days * DAY_MS)
        .toISOString()
        .replace(/\.\d+|\D/g, '')
        .slice(2)}Z`,
    ),
  );

const pemOf = (data: Buffer) =>
  `-----BEGIN CERTIFICATE-----\n${data.toString('base64').replace(/.{64}(?=.)/g, '$&\n')}\n-----END CERTIFICATE-----\n`;

/** Makes a certificate for a host (its only alternative name), or of an authority. */
export const certify = ({
  name,
  issuer,
  isAuthority = false,
  from = -2,
  to = 2,
}: CertificateRequest): Certificate => {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const extension = isAuthority
    ? sequence(oid(BASIC_CONSTRAINTS), yes, octets(sequence(yes)))
    : sequence(oid(ALTERNATIVE_NAME), octets(sequence(der(0x82, Buffer.from(name)))));
  const body = sequence(
    der(0xa0, integer(2)),
    integer(Math.floor(Math.random() * 126) + 1),
    ECDSA_SHA256,
    nameOf(issuer?.name ?? name),
    sequence(timeOf(from), timeOf(to)),
    nameOf(name),
    publicKey.export({ type: 'spki', format: 'der' }),
    der(0xa3, sequence(extension)),
  );
  const signature = sign('sha256', body, issuer?.privateKey ?? privateKey);
  return {
    cert: pemOf(sequence(body, ECDSA_SHA256, bits(signature))),
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    name,
    privateKey,
  };
};

/** Signs requests with AWS Signature Version 4, as API Gateway's IAM authorizer asks for. */
import { Sha256 } from '@aws-crypto/sha256-js';
import { SignatureV4 } from '@smithy/signature-v4';
import { type Send, sendPlain } from './send.ts';

export interface Identity {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
}

export interface SigningOptions {
  readonly region: string;
  readonly credentials: () => Promise<Identity>;
}

/** @see https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv.html */
export const sendSigned = ({ region, credentials }: SigningOptions): Send => {
  const signer = new SignatureV4({ service: 'execute-api', region, credentials, sha256: Sha256 });
  return async (url, request) => {
    const { protocol, host, hostname, port, pathname, searchParams } = new URL(url);
    const signed = await signer.sign({
      method: request.method,
      protocol,
      hostname,
      ...(port !== '' && { port: Number(port) }),
      path: pathname,
      query: Object.fromEntries(searchParams),
      headers: { ...request.headers, host },
      ...(request.body && { body: request.body }),
    });
    const { host: _, ...headers } = signed.headers;
    return sendPlain(url, { ...request, headers });
  };
};

/** Sends requests to the API: as they are, or signed with AWS Signature Version 4. */
import type { CredentialsProvider } from './stack.ts';

export interface HttpRequest {
  readonly method: 'GET' | 'POST';
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: Uint8Array;
  readonly signal: AbortSignal;
}
export type Send = (url: string, request: HttpRequest) => Promise<Response>;

/** A redirect is never followed: a list must not go anywhere else than where it was sent. */
export const sendPlain: Send = (url, { method, headers, body, signal }) =>
  fetch(url, {
    method,
    headers,
    signal,
    redirect: 'manual',
    ...(body && { body: Buffer.from(body) }),
  });

/**
 * Signs requests as API Gateway's IAM authorizer asks for.
 * @see https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv.html
 */
export const createSignedSend = async (region: string, credentials: CredentialsProvider): Promise<Send> => {
  // Loaded only where requests are signed.
  const [{ Sha256 }, { SignatureV4 }] = await Promise.all([
    import('@aws-crypto/sha256-js'),
    import('@smithy/signature-v4'),
  ]);
  const signer = new SignatureV4({ service: 'execute-api', region, credentials, sha256: Sha256 });
  return async (url, request) => {
    const { protocol, host, hostname, port, pathname, searchParams } = new URL(url);
    const { headers: signedHeaders } = await signer.sign({
      method: request.method,
      protocol,
      hostname,
      ...(port !== '' && { port: Number(port) }),
      path: pathname,
      query: Object.fromEntries(searchParams),
      headers: { ...request.headers, host },
      ...(request.body && { body: request.body }),
    });
    const { host: _, ...headers } = signedHeaders;
    return sendPlain(url, { ...request, headers });
  };
};

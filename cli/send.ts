/** Sends requests to the API. */

export interface Outgoing {
  readonly method: 'GET' | 'POST';
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: Uint8Array;
  readonly signal: AbortSignal;
}
export type Send = (url: string, request: Outgoing) => Promise<Response>;

/** A redirect is never followed: a list must not go anywhere else than where it was sent. */
export const sendPlain: Send = (url, { method, headers, body, signal }) =>
  fetch(url, {
    method,
    headers,
    signal,
    redirect: 'manual',
    ...(body && { body: Buffer.from(body) }),
  });

/**
 * `no_connection` lets a POST be sent again. So each error with this code is caused here for real, over the real
 * fetch, and nothing may have reached the server.
 */
import { randomUUID } from 'node:crypto';
import dns from 'node:dns';
import { type AddressInfo, createServer } from 'node:net';
import tls from 'node:tls';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { createMixinClient, type MixinRequest } from '../../lib/mixin/client.ts';
import { type Certificate, certify } from './certificates.ts';
import { json, startServer } from './server.ts';
import { keystore, nowMs } from './vectors.ts';

const post: MixinRequest = { method: 'POST', path: '/users', body: { full_name: 'CANARY' } };
const get: MixinRequest = { method: 'GET', path: '/safe/me' };

const createClient = (baseUrl: string, timeoutMs = 5_000) =>
  createMixinClient({
    baseUrl,
    timeoutMs,
    maxAnswerBytes: 10_000,
    tokenLifetimeSeconds: 120,
    now: () => nowMs,
    randomId: randomUUID,
  });

const nothingSent = (cause: string) => ({
  name: 'MixinError',
  code: 'no_connection',
  verdict: 'again',
  cause,
  request_id: expect.any(String),
});

/** Calls in every way there is. */
const expectNothingSent = async (baseUrl: string, cause: string, timeoutMs?: number): Promise<void> => {
  const client = createClient(baseUrl, timeoutMs);
  const calls = [client.call(keystore, get), client.call(keystore, post), client.callOpen(post)];
  for (const call of await Promise.allSettled(calls)) {
    expect(call).toMatchObject({ status: 'rejected', reason: nothingSent(cause) });
  }
};

afterEach(() => {
  vi.restoreAllMocks();
});

describe('errors before any connection', () => {
  test('a refused connection is no_connection: ECONNREFUSED', async () => {
    const closedServer = await startServer(json({}));
    await closedServer[Symbol.asyncDispose]();
    await expectNothingSent(closedServer.url, 'ECONNREFUSED');
  });

  test('a connection that every address of a name refuses is no_connection: ECONNREFUSED', async () => {
    const closedServer = await startServer(json({}));
    await closedServer[Symbol.asyncDispose]();
    await expectNothingSent(closedServer.url.replace('127.0.0.1', 'localhost'), 'ECONNREFUSED');
  });

  /** Replaces the name service by one that fails. */
  const lookup = (answer: (callback: (error: Error) => void) => void) => {
    const stand = (...args: readonly unknown[]) => answer(args.at(-1) as (error: Error) => void);
    return vi.spyOn(dns, 'lookup').mockImplementation(stand as never);
  };

  test.each(['ENOTFOUND', 'EAI_AGAIN'])('a name that is not found is no_connection: %s', async (code) => {
    const lookups = lookup((callback) =>
      setImmediate(() => callback(Object.assign(new Error('lookup'), { code }))),
    );
    await expectNothingSent('http://mixin.invalid', code);
    expect(lookups).toHaveBeenCalledTimes(3);
  });

  test('fetch gives up connecting after 10 s, and that is no_connection: UND_ERR_CONNECT_TIMEOUT', async () => {
    lookup(() => {});
    await expectNothingSent('http://mixin.invalid', 'UND_ERR_CONNECT_TIMEOUT', 20_000);
  });

  test('our own time-out is no_answer, because something may have been sent', async () => {
    lookup(() => {});
    await expect(createClient('http://mixin.invalid', 100).call(keystore, post)).rejects.toMatchObject({
      code: 'no_answer',
      verdict: 'unsure',
      cause: 'TimeoutError',
    });
  });
});

/** A TLS server that stores every byte that a client sent to it, decrypted. */
const startTls = async (key: string, cert: string) => {
  const received: Buffer[] = [];
  let connections = 0;
  const server = tls.createServer({ key, cert }, (socket) => {
    socket.on('error', () => {});
    socket.on('data', (chunk: Buffer) => {
      received.push(chunk);
      socket.end('HTTP/1.1 200 OK\r\ncontent-length: 11\r\nconnection: close\r\n\r\n{"data":{}}');
    });
  });
  server.on('connection', () => {
    connections += 1;
  });
  server.on('tlsClientError', () => {});
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `https://localhost:${port}`,
    text: () => Buffer.concat(received).toString(),
    connections: () => connections,
    [Symbol.asyncDispose]: () => new Promise<void>((resolve) => server.close(() => resolve())),
  };
};

describe('invalid certificates', () => {
  const trusted = certify({ name: 'An authority we trust', isAuthority: true });
  const untrusted = certify({ name: 'An authority nobody knows', isAuthority: true });
  const host = { name: 'localhost' };
  const self = certify(host);
  const good = certify({ ...host, issuer: trusted });
  const middle = certify({ name: 'In the middle', isAuthority: true, issuer: untrusted });

  const before = tls.getCACertificates('default');
  beforeEach(() => {
    tls.setDefaultCACertificates([...before, trusted.cert]);
    return () => tls.setDefaultCACertificates(before);
  });

  test('a request reaches the server when its certificate is valid, and this test sees it', async () => {
    await using server = await startTls(good.key, good.cert);
    await createClient(server.url).call(keystore, post);
    expect(server.text()).toMatch(/^POST \/users HTTP\/1\.1\r\n.*CANARY/s);
  });

  const cases: readonly [string, Certificate, ...Certificate[]][] = [
    ['CERT_HAS_EXPIRED', certify({ ...host, issuer: trusted, from: -9, to: -3 })],
    ['CERT_NOT_YET_VALID', certify({ ...host, issuer: trusted, from: 3, to: 9 })],
    ['ERR_TLS_CERT_ALTNAME_INVALID', certify({ name: 'other.example', issuer: trusted })],
    ['DEPTH_ZERO_SELF_SIGNED_CERT', self],
    ['SELF_SIGNED_CERT_IN_CHAIN', certify({ ...host, issuer: untrusted }), untrusted],
    ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', certify({ ...host, issuer: untrusted })],
    ['UNABLE_TO_GET_ISSUER_CERT_LOCALLY', certify({ ...host, issuer: middle }), middle],
  ];

  test.each(cases)('a certificate that is refused is no_connection: %s', async (cause, leaf, ...others) => {
    await using server = await startTls(leaf.key, [leaf, ...others].map(({ cert }) => cert).join(''));
    await expectNothingSent(server.url, cause);
    expect(server.connections()).toBe(3);
    expect(server.text()).toBe('');
  });
});

test('a handshake that breaks for another reason is no_answer', async () => {
  const server = createServer((socket) => {
    socket.on('error', () => {});
    socket.write('no TLS here');
    socket.destroySoon();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await expect(createClient(`https://127.0.0.1:${port}`).call(keystore, post)).rejects.toMatchObject({
    code: 'no_answer',
    verdict: 'unsure',
  });
  await new Promise((resolve) => server.close(resolve));
});

/** HTTP servers that only programs on this machine can reach. */
import type { IncomingHttpHeaders, IncomingMessage, Server } from 'node:http';
import type { AddressInfo } from 'node:net';

export const LOOPBACK = '127.0.0.1';

const localHost = /^(127\.0\.0\.1|localhost)(:\d{1,5})?$/i;

/**
 * Whether a request comes from a foreign web page: its Host is not this machine (DNS rebinding), or its Origin is
 * another site. Programs such as curl and the AWS SDK send no Origin.
 */
export const isForeign = ({ host, origin }: IncomingHttpHeaders): boolean =>
  !localHost.test(host ?? '') || (origin !== undefined && origin !== `http://${host}`);

/** Listens on 127.0.0.1 and returns the port; 0 asks for a free one. Rejects when the port is taken. */
export const listen = (server: Server, port = 0): Promise<number> =>
  new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, LOOPBACK, () => {
      server.off('error', reject);
      resolve((server.address() as AddressInfo).port);
    });
  });

const IDLE_CHECK_MS = 20;

/** Accepts no new requests, lets the running ones finish, and closes. */
export const close = (server: Server): Promise<void> =>
  new Promise((resolve, reject) => {
    // A connection whose request ends later is kept alive by its client; nothing else would close it.
    const timer = setInterval(() => server.closeIdleConnections(), IDLE_CHECK_MS);
    server.close((error) => {
      clearInterval(timer);
      if (error) reject(error);
      else resolve();
    });
  });

/** Closes at once, and breaks all connections. */
export const cut = (server: Server): Promise<void> => {
  const closed = close(server);
  server.closeAllConnections();
  return closed;
};

/** Reads a request's body; undefined when it is longer than `maxBytes`: the rest is read and ignored, so that the answer arrives. */
export const readBody = async (request: IncomingMessage, maxBytes: number): Promise<Buffer | undefined> => {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request.iterator({ destroyOnReturn: false })) {
    length += (chunk as Buffer).length;
    if (length > maxBytes) {
      request.resume();
      return undefined;
    }
    chunks.push(chunk as Buffer);
  }
  return Buffer.concat(chunks);
};

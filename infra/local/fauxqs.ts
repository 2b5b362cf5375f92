/** fauxqs (SQS and S3), restricted to this machine: by default it listens on every network interface. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { glob, readFile, rm, stat } from 'node:fs/promises';
import type { IncomingHttpHeaders } from 'node:http';
import { join } from 'node:path';
import { type FauxqsServer, startFauxqs } from 'fauxqs';
import { isForeign, LOOPBACK } from '../../emulators/loopback.ts';
import { REGION } from './client-config.ts';

export type Fauxqs = Omit<FauxqsServer, 'address'> & { readonly url: string };

/** https://fastify.dev/docs/latest/Reference/Hooks/#diagnostics-channel-hooks */
const CREATED = 'fastify.initialization';

interface FastifyPart {
  listen: (options: { port: number; host: string }) => Promise<string>;
  addHook(
    name: 'onRequest',
    hook: (
      request: { readonly headers: IncomingHttpHeaders },
      reply: { code(status: number): { send(body: string): unknown } },
      done: () => void,
    ) => void,
  ): unknown;
}

/** Uploaded lists contain keys: neither other machines nor web pages may reach the server. */
const restrictToLoopback = (message: unknown): void => {
  const { fastify } = message as { fastify: FastifyPart };
  const { listen } = fastify;
  fastify.listen = (options) => listen.call(fastify, { ...options, host: LOOPBACK });
  fastify.addHook('onRequest', (request, reply, done) => {
    if (isForeign(request.headers)) reply.code(403).send('');
    else done();
  });
};

const isOnLoopback = ({ address }: FauxqsServer): boolean => new URL(address).hostname === LOOPBACK;

/** Is the description of an object or a bucket complete, and does the object have all its bytes? */
const isWhole = async (path: string, dataPath: string): Promise<boolean> => {
  try {
    const { contentLength } = JSON.parse(await readFile(path, 'utf8'));
    return contentLength === undefined || (await stat(dataPath)).size === contentLength;
  } catch {
    return false;
  }
};

/**
 * Removes objects that a killed process left cut off: fauxqs 2.4.1 would not start, or send fewer bytes than
 * it says. Their upload was never answered, so whoever sent it sends it again.
 */
const removeTornUploads = async (uploads: string): Promise<void> => {
  for await (const file of glob(['**/*.meta.json', '**/.bucket.json'], { cwd: uploads })) {
    const path = join(uploads, file);
    const dataPath = path.replace(/\.meta\.json$/, '.data');
    if (await isWhole(path, dataPath)) continue;
    await rm(dataPath, { force: true });
    await rm(path, { force: true });
  }
};

/**
 * Starts fauxqs on 127.0.0.1, with its data in two folders of `dataDir`, or in memory. Rejects, and leaves
 * nothing running, when it would listen anywhere else.
 */
export const startLocalFauxqs = async (dataDir?: string): Promise<Fauxqs> => {
  const folders = dataDir !== undefined && {
    dataDir: join(dataDir, 'sqs'),
    s3StorageDir: join(dataDir, 'uploads'),
  };
  if (folders) await removeTornUploads(folders.s3StorageDir);
  subscribe(CREATED, restrictToLoopback);
  let starting: Promise<FauxqsServer>;
  try {
    starting = startFauxqs({
      port: 0,
      logger: false,
      host: LOOPBACK,
      defaultRegion: REGION,
      init: {},
      ...folders,
    });
  } finally {
    unsubscribe(CREATED, restrictToLoopback);
  }
  const server = await starting;
  if (!isOnLoopback(server)) {
    await server.stop();
    throw new Error('fauxqs would listen beyond 127.0.0.1; this version cannot be used');
  }
  return Object.assign(server, { url: `http://${LOOPBACK}:${server.port}` });
};

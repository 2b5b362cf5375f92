/**
 * An emulator of AWS Secrets Manager: the calls that Enlist uses, over the real protocol (AWS JSON 1.1), with the
 * error names of AWS and its rules for ClientRequestToken and staging labels.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { cut, isForeign, LOOPBACK, listen, readBody } from '../loopback.ts';
import { type ActionContext, actions } from './actions.ts';
import { memoryStorage, openSecretFiles } from './files.ts';
import { type ActionName, inputs, writes } from './inputs.ts';
import { SecretError } from './record.ts';
import { openSecretStore } from './store.ts';

export interface SecretsManagerOptions {
  /** One file per secret goes here; without it secrets are in memory only. */
  readonly dataDir?: string;
  /** @default a free one */
  readonly port?: number;
  /** Milliseconds since 1970. */
  readonly now?: () => number;
  /** Writes above this are answered with ThrottlingException. @default no limit */
  readonly writesPerSecond?: number;
  /**
   * Versions without a label are deleted at once. AWS may do so at any later time, so code that relies on such
   * a version fails here first.
   * @default true
   */
  readonly pruneUnlabelled?: boolean;
  /** Listens before the files in `dataDir` are read; until then requests wait. @default false */
  readonly loadsLater?: boolean;
}

export interface SecretsManager {
  readonly url: string;
  /** Rejects when a file in `dataDir` cannot be read. */
  readonly loaded: Promise<void>;
  stop(): Promise<void>;
}

/** A value of 65,536 bytes, escaped or in base64, fits with room to spare. */
const MAX_BODY_BYTES = 1_048_576;
const TARGET = /^secretsmanager\.(\w+)$/;

interface Reply {
  readonly status: number;
  readonly body: unknown;
}

const failure = (status: number, name: string, message?: string): Reply => ({
  status,
  body: { __type: name, ...(message && { message }) },
});

/** Says whether one more write is allowed now: `perSecond` in a burst, and as many again each second. */
const createThrottle = (perSecond: number, now: () => number): (() => boolean) => {
  let tokens = perSecond;
  let filledAt = now();
  return () => {
    tokens = Math.min(perSecond, tokens + ((now() - filledAt) / 1_000) * perSecond);
    filledAt = now();
    if (tokens < 1) return false;
    tokens -= 1;
    return true;
  };
};

/** Names the fields that are wrong, never what was in them. */
const readInput = (name: ActionName, body: unknown) => {
  const parsed = inputs[name].safeParse(body);
  if (parsed.success) return parsed.data;
  const fields = [...new Set(parsed.error.issues.map(({ path }) => path.join('.')))];
  if (fields.length === 1 && fields[0] === 'ClientRequestToken')
    throw new SecretError('InvalidParameterException', 'ClientRequestToken must be 32-64 characters long.');
  throw new SecretError('ValidationException', `Failed to satisfy constraints: ${fields.join(', ')}`);
};

const parseJson = (body: Buffer): unknown => {
  try {
    return JSON.parse(body.toString('utf8'));
  } catch {
    return undefined;
  }
};

const isAction = (name: string | undefined): name is ActionName =>
  name !== undefined && Object.hasOwn(inputs, name);

const run = async (context: ActionContext, name: ActionName, body: unknown): Promise<Reply> => {
  try {
    const action = actions[name] as (context: ActionContext, input: unknown) => unknown;
    return { status: 200, body: await action(context, readInput(name, body)) };
  } catch (error) {
    if (error instanceof SecretError) return failure(400, error.name, error.message);
    return failure(500, 'InternalServiceError', 'An error occurred on the server side.');
  }
};

const answer = async (
  loading: Promise<ActionContext>,
  allowsWrite: () => boolean,
  request: IncomingMessage,
): Promise<Reply> => {
  const { headers, method } = request;
  if (isForeign(headers)) return failure(403, 'AccessDeniedException');
  if (!headers.authorization?.startsWith('AWS4-'))
    return failure(400, 'MissingAuthenticationTokenException', 'Missing Authentication Token');
  const name = TARGET.exec(String(headers['x-amz-target']))?.[1];
  if (method !== 'POST' || !isAction(name)) return failure(400, 'UnknownOperationException');
  const body = await readBody(request, MAX_BODY_BYTES);
  if (!body) return failure(413, 'RequestEntityTooLarge');
  const input = parseJson(body);
  if (input === undefined) return failure(400, 'SerializationException');
  if (writes.has(name) && !allowsWrite()) return failure(400, 'ThrottlingException', 'Rate exceeded');
  return run(await loading, name, input);
};

const send = (response: ServerResponse, { status, body }: Reply): void => {
  response.writeHead(status, { 'content-type': 'application/x-amz-json-1.1' }).end(JSON.stringify(body));
};

/** Starts it on 127.0.0.1. Rejects when the port is taken or a file in `dataDir` cannot be read. */
export const startSecretsManager = async (options: SecretsManagerOptions = {}): Promise<SecretsManager> => {
  const { dataDir, port, now = Date.now, writesPerSecond = Infinity, pruneUnlabelled = true } = options;
  const stopping = new AbortController();
  const load = async (): Promise<ActionContext> => {
    const storage = dataDir === undefined ? memoryStorage : await openSecretFiles(dataDir, stopping.signal);
    return { store: await openSecretStore(storage, now), now, pruneUnlabelled };
  };
  const loading = load();
  const loaded = loading.then(() => undefined);
  // Whoever awaits it is told; nobody has to.
  loaded.catch(() => undefined);
  if (!options.loadsLater) await loaded;
  const allowsWrite = writesPerSecond === Infinity ? () => true : createThrottle(writesPerSecond, now);
  const server = createServer((request, response) => {
    answer(loading, allowsWrite, request)
      .then((reply) => send(response, reply))
      .catch(() => response.destroy());
  });
  const listening = await listen(server, port);
  return {
    url: `http://${LOOPBACK}:${listening}`,
    loaded,
    stop: async () => {
      stopping.abort();
      await cut(server);
      await loaded.catch(() => undefined);
    },
  };
};

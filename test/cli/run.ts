/** Runs a command line: here, or as a process of its own, as a user or a script does. */
import { type ChildProcess, spawn } from 'node:child_process';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Readable, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { runCommand } from '../../cli/run-command.ts';

const script = fileURLToPath(new URL('../../cli/enlist.ts', import.meta.url));

export interface Ran {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly stdin?: string | undefined;
}

export interface ProcessOptions extends RunOptions {
  readonly env?: Readonly<Record<string, string>>;
  /** As a terminal or another program does, which may have more to say. */
  readonly keepsStdinOpen?: boolean;
  /** Sees the process while it runs. */
  readonly onStart?: (child: ChildProcess) => void;
}

/** No AWS of the machine the tests run on, and nobody to ask for credentials. */
const nobody = {
  PATH: process.env.PATH ?? '',
  AWS_EC2_METADATA_DISABLED: 'true',
  // The same sources are read again and again here.
  NODE_COMPILE_CACHE: process.env.NODE_COMPILE_CACHE ?? '',
  AWS_CONFIG_FILE: '/nonexistent',
  AWS_SHARED_CREDENTIALS_FILE: '/nonexistent',
};

/** Everything any command printed, for whoever looks for what must not be there. */
export const printed: string[] = [];

/** Keeps what is written to it. */
const createPaper = () => {
  let text = '';
  const stream = new Writable({
    write: (chunk, _encoding, done) => {
      text += String(chunk);
      done();
    },
  });
  return { stream, text: () => text };
};

/** Runs it within this process, with an environment that is empty: much faster than one of its own. */
export const enlist = async (args: readonly string[], { stdin = '' }: RunOptions = {}): Promise<Ran> => {
  const [stdout, stderr] = [createPaper(), createPaper()];
  const streams = {
    stdin: Readable.from([Buffer.from(stdin)]),
    stdout: stdout.stream,
    stderr: stderr.stream,
  };
  const code = await runCommand(args, { ...streams, environment: {} }, new AbortController().signal);
  printed.push(stdout.text(), stderr.text());
  return { code, stdout: stdout.text(), stderr: stderr.text() };
};

/** Runs it as a process of its own: for what depends on the environment, on signals or on arguments. */
export const enlistProcess = (args: readonly string[], options: ProcessOptions = {}): Promise<Ran> =>
  new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [script, ...args], { env: { ...nobody, ...options.env } });
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (chunk) => {
      stdout += String(chunk);
    });
    child.stderr.on('data', (chunk) => {
      stderr += String(chunk);
    });
    child.on('error', reject);
    child.on('close', (code) => {
      printed.push(stdout, stderr);
      resolve({ code, stdout, stderr });
    });
    // Whoever does not read it has ended before it is written.
    child.stdin.on('error', () => undefined);
    child.stdin.write(options.stdin ?? '');
    if (!options.keepsStdinOpen) child.stdin.end();
    options.onStart?.(child);
  });

/** The JSON lines on stdout. */
export const jsonLines = ({ stdout }: Ran): Record<string, unknown>[] =>
  stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Record<string, unknown>);

export interface Heard {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
  /** The body as it came. */
  readonly bytes: Buffer;
}
export interface Said {
  readonly status: number;
  readonly headers?: Record<string, string>;
  readonly body: string;
}

/** A server that answers as it is told and keeps what it heard; without an answer it hangs up. */
export const startServer = async (answer: (heard: Heard) => Said | undefined) => {
  const all: Heard[] = [];
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const { method = '', url = '', headers } = request;
    const bytes = Buffer.concat(chunks);
    const heard = { method, url, headers, body: bytes.toString(), bytes };
    all.push(heard);
    const said = answer(heard);
    if (!said) return request.socket.destroy();
    const { status, body, headers: more = {} } = said;
    response.writeHead(status, { 'content-type': 'application/json', ...more }).end(body);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    heard: all,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
};

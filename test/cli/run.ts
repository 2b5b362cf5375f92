/** Runs a command line in this process, or in a new process as a user or a script does. */
import { type ChildProcess, spawn } from 'node:child_process';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Readable, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { runCommand } from '../../cli/program.ts';

const script = fileURLToPath(new URL('../../cli/enlist.ts', import.meta.url));

export interface CommandResult {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly stdin?: string | undefined;
  readonly env?: Readonly<Record<string, string>>;
}

export interface ProcessOptions extends RunOptions {
  /** Keeps stdin open, as a terminal does, or a program that may write more. */
  readonly keepsStdinOpen?: boolean;
  /** Gets the process while it runs. */
  readonly onStart?: (child: ChildProcess) => void;
}

/** Hides the AWS settings of the machine that runs the tests. */
const baseEnvironment = {
  PATH: process.env.PATH ?? '',
  AWS_EC2_METADATA_DISABLED: 'true',
  // Each process would compile the same sources again.
  NODE_COMPILE_CACHE: process.env.NODE_COMPILE_CACHE ?? '',
  AWS_CONFIG_FILE: '/nonexistent',
  AWS_SHARED_CREDENTIALS_FILE: '/nonexistent',
};

/** Everything that any command printed, for tests that look for secrets in it. */
export const printedTexts: string[] = [];

/** A stream that collects what is written to it. */
const createCollector = () => {
  let text = '';
  const stream = new Writable({
    write: (chunk, _encoding, done) => {
      text += String(chunk);
      done();
    },
  });
  return { stream, text: () => text };
};

/** Runs a command in this process, as one on the PATH and with no other environment than `env`. This is much faster than a new process. */
export const enlist = async (
  args: readonly string[],
  { stdin = '', env = {} }: RunOptions = {},
): Promise<CommandResult> => {
  const [stdout, stderr] = [createCollector(), createCollector()];
  const streams = {
    stdin: Readable.from([Buffer.from(stdin)]),
    stdout: stdout.stream,
    stderr: stderr.stream,
  };
  const code = await runCommand(
    args,
    { ...streams, environment: env, script: '/usr/local/bin/enlist' },
    new AbortController().signal,
  );
  printedTexts.push(stdout.text(), stderr.text());
  return { code, stdout: stdout.text(), stderr: stderr.text() };
};

/** Runs a command in a new process, for tests of the environment and of signals. */
export const enlistProcess = (
  args: readonly string[],
  options: ProcessOptions = {},
): Promise<CommandResult> =>
  new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [script, ...args], { env: { ...baseEnvironment, ...options.env } });
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
      printedTexts.push(stdout, stderr);
      resolve({ code, stdout, stderr });
    });
    // A process that does not read it may end before it is written.
    child.stdin.on('error', () => undefined);
    child.stdin.write(options.stdin ?? '');
    if (!options.keepsStdinOpen) child.stdin.end();
    options.onStart?.(child);
  });

/** The JSON lines on stdout. */
export const jsonLines = ({ stdout }: CommandResult): Record<string, unknown>[] =>
  stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Record<string, unknown>);

export interface ServerRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
  /** The body byte by byte. */
  readonly bytes: Buffer;
}
export interface ServerAnswer {
  readonly status: number;
  readonly headers?: Record<string, string>;
  readonly body: string;
}

/** Starts a server that answers with `answer` and collects its requests. Without an answer it closes the connection. */
export const startServer = async (answer: (request: ServerRequest) => ServerAnswer | undefined) => {
  const requests: ServerRequest[] = [];
  const server = createServer(async (incoming, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of incoming) chunks.push(chunk as Buffer);
    const { method = '', url = '', headers } = incoming;
    const bytes = Buffer.concat(chunks);
    const request = { method, url, headers, body: bytes.toString(), bytes };
    requests.push(request);
    const reply = answer(request);
    if (!reply) return incoming.socket.destroy();
    const { status, body, headers: more = {} } = reply;
    response.writeHead(status, { 'content-type': 'application/json', ...more }).end(body);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
};

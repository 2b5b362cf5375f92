/** Prints how large the bundles are and how soon a handler is ready: `node infra/aws/bundle-report.ts`. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { gzipSync } from 'node:zlib';
import { functionNames } from '../../lib/model/deployment.ts';
import { BUNDLE_FILE, bundleFunctions } from './bundle.ts';

const RUNS = 5;

/** Stands for what the stack sets; nothing is called. */
const environment = {
  ENLIST_TABLE: 'enlist',
  ENLIST_UPLOADS_BUCKET: 'enlist-uploads',
  ENLIST_SECRET_PREFIX: 'enlist',
  ENLIST_INTAKE_QUEUE_URL: 'https://sqs.invalid/intake',
  ENLIST_ENROLL_QUEUE_URL: 'https://sqs.invalid/enroll',
  ENLIST_CHECK_QUEUE_URL: 'https://sqs.invalid/check',
  ENLIST_REGISTER_QUEUE_URL: 'https://sqs.invalid/register',
  MIXIN_URL: 'https://mixin.invalid',
  AWS_REGION: 'us-east-1',
};

const median = (values: readonly number[]) =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;

/** Milliseconds from the start of a Node process, as it counts them itself, to the end of `code`. */
const startup = (code: string) => {
  const source = `${code}; process.stdout.write(String(performance.now()));`;
  const run = () =>
    Number(execFileSync(process.execPath, ['--input-type=module', '-e', source], { env: environment }));
  return Math.round(median(Array.from({ length: RUNS }, run)));
};

const folder = mkdtempSync(join(tmpdir(), 'enlist-bundles-'));
try {
  const bundles = await bundleFunctions(folder);
  const nothing = startup('');
  const lines = functionNames.map((name) => {
    const file = join(bundles[name].folder, BUNDLE_FILE);
    const bytes = statSync(file).size;
    const zipped = gzipSync(readFileSync(file)).byteLength;
    const url = JSON.stringify(pathToFileURL(file).href);
    const ready = startup(`const { createHandler } = await import(${url}); createHandler(process.env)`);
    const cells = [bytes, zipped, `${ready} ms`, `${ready - nothing} ms`].map((cell) =>
      String(cell).padStart(9),
    );
    return `${name.padEnd(9)}${cells.join(' ')}`;
  });
  process.stdout.write(
    [
      `Node ${process.version}, median of ${RUNS} process starts; Node alone: ${nothing} ms`,
      `function ${['bytes', 'gzipped', 'ready', 'own part'].map((head) => head.padStart(9)).join(' ')}`,
      ...lines,
      '',
    ].join('\n'),
  );
} finally {
  rmSync(folder, { recursive: true, force: true });
}

/** Lists as spreadsheets and tutorials write them, by every way in: the API, the inbox and the command line. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { clientConfig } from '../../infra/local/client-config.ts';
import { limits } from '../../lib/model/limits.ts';
import { readConfig } from '../../lib/runtime/config.ts';
import { enlist } from '../cli/run.ts';
import { startStack, type TestStack, waitFor } from '../helpers/stack.ts';

let stack: TestStack;
let home: string;

beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'enlist-lists-'));
  stack = await startStack();
});
afterAll(async () => {
  await stack[Symbol.asyncDispose]();
  await rm(home, { recursive: true, force: true });
});

type Keystore = Awaited<ReturnType<TestStack['standIn']['createUser']>>['keystore'];
type Kind = 'csv' | 'json' | 'jsonl';

const contentTypes = { csv: 'text/csv', json: 'application/json', jsonl: 'application/x-ndjson' } as const;

const table = (row: Readonly<Record<string, unknown>>, separator = ',') =>
  `${Object.keys(row).join(separator)}\n${Object.values(row).join(separator)}\n`;

const rename = (row: Keystore, toName: (name: string) => string) =>
  Object.fromEntries(Object.entries(row).map(([name, value]) => [toName(name), value]));

const toTitle = (name: string) => name.replaceAll('_', ' ').replace(/\b[a-z]/g, (char) => char.toUpperCase());
const toCamel = (name: string) => name.replace(/_([a-z])/g, (_, char: string) => char.toUpperCase());
const toHex = (value: unknown) => (/^[0-9a-f]{64}$/.test(String(value)) ? `0x${value}` : value);

/** How each list is written, and whether it is imported or refused with the one code. */
const lists: Readonly<Record<string, readonly [Kind, (row: Keystore) => string, string?]>> = {
  semicolons: ['csv', (row) => table(row, ';')],
  tabs: ['csv', (row) => table(row, '\t')],
  'a line sep=;': ['csv', (row) => `sep=;\r\n${table(row, ';')}`],
  'a title above the header': ['csv', (row) => `Our bots;;;\n${table(row, ';')}`],
  'no header': ['csv', (row) => `${Object.values(row).join(',')}\n`, 'no_known_column'],
  'no known column': ['csv', (row) => table(rename(row, (name) => `x_${name}`)), 'no_known_column'],
  'names with spaces': ['csv', (row) => table(rename(row, toTitle))],
  'names in camel case': ['json', (row) => JSON.stringify([rename(row, toCamel)])],
  'a wrapper': ['json', (row) => JSON.stringify({ bots: [{ keystore: row }] })],
  'JSON Lines in a file .json': ['json', (row) => `${JSON.stringify(row)},\n${JSON.stringify(row)}\n`],
  'an array in a file .jsonl': ['jsonl', (row) => JSON.stringify([row], undefined, 2)],
  '0x before hex': [
    'json',
    (row) =>
      JSON.stringify(Object.fromEntries(Object.entries(row).map(([name, value]) => [name, toHex(value)]))),
  ],
};

type Send = (text: string, kind: Kind) => Promise<string>;

const postList: Send = async (text, kind) => {
  const { url } = stack.embedded;
  const response = await fetch(`${url}/batches`, {
    method: 'POST',
    headers: { 'Content-Type': contentTypes[kind] },
    body: text,
  });
  expect(response.status).toBe(202);
  return ((await response.json()) as { batch_id: string }).batch_id;
};

let files = 0;

const uploadFile: Send = async (text, kind) => {
  files += 1;
  const file = join(home, `list-${files}.${kind}`);
  await writeFile(file, text);
  const result = await enlist(['upload', file, '--json', '--api', stack.embedded.url]);
  expect(result.code).toBe(0);
  return JSON.parse(result.stdout).batch_id;
};

/** The batch of an object in the inbox is named in the log alone. */
const dropFile: Send = async (text, kind) => {
  files += 1;
  const { aws, uploadsBucket } = readConfig(stack.embedded.environment);
  const s3 = new S3Client({ ...clientConfig(aws.endpoints.s3 ?? ''), forcePathStyle: true });
  const Key = `${limits.inboxPrefix}list-${files}.${kind}`;
  const { ETag } = await s3.send(new PutObjectCommand({ Bucket: uploadsBucket, Key, Body: text }));
  const object = {
    key: Key,
    size: Buffer.byteLength(text),
    eTag: ETag ?? '',
    sequencer: '0055AED6DCD90281E5',
  };
  const seen = stack.logs.length;
  await stack.services.queues.send('intake', [
    { body: { Records: [{ eventSource: 'aws:s3', s3: { object } }] } as never },
  ]);
  const line = await waitFor(async () =>
    stack.logs.slice(seen).find((it) => it.includes('"list_read"') || it.includes('"list_rejected"')),
  );
  return JSON.parse(line).batch_id;
};

const ways: Readonly<Record<string, Send>> = {
  'the API': postList,
  'enlist upload': uploadFile,
  'the inbox': dropFile,
};

interface BatchAnswer {
  readonly status: string;
  readonly accepted: number;
  readonly invalid: number;
  readonly problem?: { readonly code: string; readonly message: string };
}

const finishBatch = (batch_id: string) =>
  waitFor(async () => {
    const batch = (await stack.get(`/batches/${batch_id}`)).body as BatchAnswer;
    return ['imported', 'rejected'].includes(batch.status) ? batch : undefined;
  });

test.each(Object.keys(ways))(
  'lists as people have them are imported or refused with one sentence by %s',
  async (way) => {
    const send = ways[way] as Send;
    for (const [name, [kind, write, refusal]] of Object.entries(lists)) {
      const { keystore } = await stack.standIn.createUser();
      const batch = await finishBatch(await send(write(keystore), kind));
      if (refusal === undefined) {
        expect(batch, name).toMatchObject({ status: 'imported', accepted: 1 });
        expect((await stack.get(`/bots/${keystore.app_id}`)).status).toBe(200);
      } else {
        expect(batch, name).toMatchObject({ status: 'rejected', problem: { code: refusal } });
        expect(batch.problem?.message, name).toMatch(/^[^.]+\.$/);
      }
    }
  },
);

test('the label of a row is shown by the API, enlist bots and enlist show, and a later list can change it', async () => {
  const { keystore } = await stack.standIn.createUser();
  const api = ['--api', stack.embedded.url];
  const listAs = async (more: object) => {
    const batch_id = await postList(JSON.stringify([{ ...keystore, ...more }]), 'json');
    await finishBatch(batch_id);
    return batch_id;
  };
  const readLabel = async () =>
    ((await stack.get(`/bots/${keystore.app_id}`)).body as { label?: string }).label;
  const batch_id = await listAs({ name: 'Corner shop' });
  expect(await readLabel()).toBe('Corner shop');
  expect((await enlist(['bots', batch_id, ...api])).stdout).toMatch(/bot id +label.*\n.*Corner shop/);
  expect((await enlist(['show', keystore.app_id, ...api])).stdout).toMatch(/label +Corner shop/);
  await listAs({});
  expect(await readLabel()).toBe('Corner shop');
  await listAs({ label: 'Kiosk' });
  expect(await readLabel()).toBe('Kiosk');
  await listAs({ label: keystore.session_private_key });
  expect(await readLabel()).toBe('Kiosk');
});

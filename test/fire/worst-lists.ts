/**
 * The lists that take the most memory and time for their size. In a process of its own,
 * `node --max-old-space-size=1592 test/fire/worst-lists.ts NAME` prints the figures.
 */

import { createHash } from 'node:crypto';
import { buildBatch } from '../../lib/batches/batch.ts';
import { intake } from '../../lib/batches/intake.ts';
import * as keys from '../../lib/mixin/keys.ts';
import { limits } from '../../lib/model/limits.ts';
import type { ListSummary, Services } from '../../lib/model/ports.ts';
import { compression } from '../../lib/runtime/compression.ts';
import { zipOf } from '../lists/zip.ts';
import { keystore } from '../mixin/vectors.ts';

interface WorstList {
  readonly contentType: string;
  readonly body: Buffer;
}

/** As many pieces as fit in so many bytes. */
const fill = (piece: string, bytes: number, head = '', tail = ''): Buffer => {
  const count = Math.floor((bytes - head.length - tail.length) / piece.length);
  return Buffer.concat([Buffer.from(head), Buffer.alloc(count * piece.length, piece), Buffer.from(tail)]);
};

const { maxUploadBytes: LARGE, maxArchiveBytes: ALL } = limits;
const columns = (count: number): string =>
  `${Array.from({ length: count }, (_, i) => (i === 0 ? 'pin' : `c${i}`)).join(',')}\n`;
/** A row of so many cells. */
const cells = (text: string, count: number): string => `${Array(count).fill(text).join(',')}\n`;
const json = (body: Buffer): WorstList => ({ contentType: 'application/json', body });
const csv = (body: Buffer): WorstList => ({ contentType: 'text/csv', body });
const zip = (name: string, text: Buffer): WorstList => ({
  contentType: 'application/zip',
  body: zipOf([{ name, text }]),
});

/** As many different pieces as an archive may unpack to. */
const numbered = (piece: (i: string) => string, head: string, tail: string): Buffer => {
  const size = piece('aaaaa').length;
  const count = Math.floor((ALL - head.length - tail.length) / size);
  const pieces = Array.from({ length: count }, (_, i) => piece(i.toString(36).padStart(5, 'z')));
  return Buffer.from(head + pieces.join('') + tail);
};

/** A keystore with an error in every field. */
const wrongRow = `${['app_id', 'session_id', 'private_key', 'pin_token', 'pin', 'spend_key']
  .map((name, i) => `${i === 0 ? '{' : ''}"${name}":"x"`)
  .join(',')}},`;

const deriveSeed = (i: number, name: string): string =>
  createHash('sha256').update(`${name} ${i}`).digest('hex');
const createUuid = (i: number, end: string): string =>
  `00000000-0000-4000-8000-${end}${String(i).padStart(11, '0')}`;

/** A keystore with every key, so that each public key is derived. */
const wholeRow = (i: number): string =>
  JSON.stringify({
    app_id: createUuid(i, 'a'),
    session_id: createUuid(i, 'b'),
    session_private_key: deriveSeed(i, 'session'),
    server_public_key: keystore.server_public_key,
    spend_private_key: deriveSeed(i, 'spend'),
    tip_private_key: deriveSeed(i, 'spend'),
  });

export const worstLists: Readonly<Record<string, () => WorstList>> = {
  'JSON: one row of empty objects': () => json(fill('{},', LARGE, '[{"a":[', '{}]}]')),
  'JSON: 80,000 rows with all errors': () =>
    json(fill(wrongRow, limits.maxRows * wrongRow.length, '[', `${wrongRow.slice(0, -1)}]`)),
  'ZIP: 80,000 keystores with every key': () =>
    zip('a.jsonl', Buffer.from(Array.from({ length: limits.maxRows }, (_, i) => wholeRow(i)).join('\n'))),
  'CSV: 1,000 columns, a tenth of them fill': () => csv(fill(cells('a', 100), 16_000_000, columns(1_000))),
  'CSV: 1,000 columns of empty cells': () => csv(fill(cells('', 1_000), LARGE, columns(1_000))),
  'CSV: 100 columns, all but one fill': () => csv(fill(cells('a', 99), 15_000_000, columns(100))),
  'ZIP: a CSV of 100 columns, all but one fill': () =>
    zip('a.csv', fill(cells('abcdef', 99), 55_000_000, columns(100))),
  'ZIP: a CSV of 1,000 columns, all fill': () => zip('a.csv', fill(cells('a', 1_000), ALL, columns(1_000))),
  'ZIP: one row of empty objects': () => zip('a.json', fill('{},', ALL, '[{"a":[', '{}]}]')),
  'ZIP: one row of short texts': () =>
    zip(
      'a.json',
      numbered((i) => `"${i}",`, '[{"a":[', '""]}]'),
    ),
  'ZIP: one row of millions of fields': () =>
    zip(
      'a.json',
      numbered((i) => `"${i}":0,`, '[{', '"a":0}]'),
    ),
  'ZIP: 79,000 rows of short texts': () =>
    zip('a.jsonl', fill(`{"a":[${Array.from({ length: 143 }, (_, i) => `"${i}"`).join()}]}\n`, ALL)),
  'ZIP: 79,000 rows of empty objects': () => zip('a.jsonl', fill(`{"a":[${'{},'.repeat(249)}{}]}\n`, ALL)),
};

/** Reads and validates a list as intake does, with everything but the list itself in memory. */
const importList = async ({ contentType, body }: WorstList): Promise<ListSummary | undefined> => {
  const batch = buildBatch('00000000-0000-4000-8000-000000000000', 0);
  let outcome: ListSummary | undefined;
  const services = {
    keys,
    compression,
    log: () => undefined,
    queues: { send: async () => undefined },
    uploads: {
      get: async () => ({ contentType, body }),
      put: async () => undefined,
      remove: async () => undefined,
    },
    table: {
      readBatch: async () => batch,
      putRowErrors: async () => undefined,
      recordListSummary: async (_batch_id: string, summary: ListSummary) => {
        outcome = summary;
        return undefined;
      },
    },
  } as unknown as Services;
  await intake(services, { batch_id: batch.batch_id });
  return outcome;
};

if (process.argv[1] === import.meta.filename) {
  const list = worstLists[process.argv[2] ?? '']?.();
  if (!list) throw new TypeError(`no list has this name: ${Object.keys(worstLists).join('; ')}`);
  const startedAt = performance.now();
  const outcome = await importList(list);
  const figures = {
    bytes: list.body.length,
    seconds: Math.round((performance.now() - startedAt) / 100) / 10,
    peak_mb: Math.round(process.resourceUsage().maxRSS / 1_024),
    outcome,
  };
  process.stdout.write(`${JSON.stringify(figures)}\n`);
}

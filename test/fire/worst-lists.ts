/**
 * The lists that take most memory and time for their size, and intake on one of them in a process of its own:
 * `node --max-old-space-size=1592 test/fire/worst-lists.ts NAME` prints what it took.
 */
import { intake } from '../../lib/provision/intake.ts';
import { listKey } from '../../lib/provision/objects.ts';
import type { ListRead } from '../../lib/services.ts';
import { uploads as limits } from '../../lib/topology.ts';
import { aBatch, createMemory } from '../provision/memory.ts';
import { zipOf } from '../provision/zip.ts';

interface WorstList {
  readonly contentType: string;
  readonly body: Buffer;
}

/** As many pieces as fit in so many bytes. */
const filled = (piece: string, bytes: number, head = '', tail = ''): Buffer => {
  const count = Math.floor((bytes - head.length - tail.length) / piece.length);
  return Buffer.concat([Buffer.from(head), Buffer.alloc(count * piece.length, piece), Buffer.from(tail)]);
};

const { maxUploadBytes: LARGE, maxArchiveBytes: ALL } = limits;
const columns = Array.from({ length: 1_000 }, (_, i) => `c${i}`).join(',');
const json = (body: Buffer): WorstList => ({ contentType: 'application/json', body });
const csv = (body: Buffer): WorstList => ({ contentType: 'text/csv', body });
const zip = (name: string, text: Buffer): WorstList => ({
  contentType: 'application/zip',
  body: zipOf([{ name, text }]),
});

/** A keystore whose every field is wrong: all its errors are told. */
const wrongRow = `${['app_id', 'session_id', 'private_key', 'pin_token', 'pin', 'spend_key']
  .map((name, i) => `${i === 0 ? '{' : ''}"${name}":"x"`)
  .join(',')}},`;

export const worstLists: Readonly<Record<string, () => WorstList>> = {
  'JSON: one row of empty objects': () => json(filled('{},', LARGE, '[{"a":[', '{}]}]')),
  'JSON: 80,000 rows with all errors': () =>
    json(filled(wrongRow, limits.maxRows * wrongRow.length, '[', `${wrongRow.slice(0, -1)}]`)),
  'CSV: 80,000 rows, a tenth of 1,000 columns': () =>
    csv(filled(`${'a,'.repeat(99)}a\n`, 16_000_000, `${columns}\n`)),
  'CSV: empty cells': () => csv(filled(`${','.repeat(999)}\n`, LARGE, `${columns}\n`)),
  'ZIP: one row of empty objects': () => zip('a.json', filled('{},', ALL, '[{"a":[', '{}]}]')),
  'ZIP: one CSV with 1,000 columns': () =>
    zip('a.csv', filled(`${'a,'.repeat(999)}a\n`, ALL, `${columns}\n`)),
};

/** Reads and validates a list as intake does, with everything but the list itself in memory. */
const takeIn = async ({ contentType, body }: WorstList): Promise<ListRead | undefined> => {
  const batch = aBatch({ status: 'received', chunks: 0, chunks_done: [] });
  const { services, objects } = createMemory({ batches: [batch] });
  let outcome: ListRead | undefined;
  const table = {
    ...services.table,
    putRowErrors: async () => undefined,
    recordListRead: async (_batch_id: string, read: ListRead) => {
      outcome = read;
      return undefined;
    },
  };
  objects.set(listKey(batch.batch_id), { contentType, body });
  await intake({ ...services, table }, { batch_id: batch.batch_id });
  return outcome;
};

if (process.argv[1] === import.meta.filename) {
  const list = worstLists[process.argv[2] ?? '']?.();
  if (!list) throw new TypeError(`no list has this name: ${Object.keys(worstLists).join('; ')}`);
  const startedAt = performance.now();
  const outcome = await takeIn(list);
  const took = {
    bytes: list.body.length,
    seconds: Math.round((performance.now() - startedAt) / 100) / 10,
    peak_mb: Math.round(process.resourceUsage().maxRSS / 1_024),
    outcome,
  };
  process.stdout.write(`${JSON.stringify(took)}\n`);
}

/** A small world in memory for the steps: rows in maps, messages and objects where a test can look at them. */
import { randomBytes, randomUUID } from 'node:crypto';
import * as keys from '../../lib/mixin/keys.ts';
import type { Batch } from '../../lib/model/batch.ts';
import type { Bot, BotChanges } from '../../lib/model/bot.ts';
import type { QueueName } from '../../lib/model/deployment.ts';
import type { LogCode, LogFields } from '../../lib/model/log.ts';
import type {
  BotCounts,
  BotQuery,
  Message,
  Page,
  Services,
  StateCounts,
  Table,
} from '../../lib/model/ports.ts';
import type { Problem, RowError } from '../../lib/model/problem.ts';
import type { BotState } from '../../lib/model/states.ts';
import { timing } from '../../lib/model/timing.ts';
import { compression } from '../../lib/runtime/compression.ts';

export const NOW = Date.parse('2026-11-21T12:00:00.000Z');
/** ISO time so many seconds after NOW. */
export const later = (seconds: number): string => new Date(NOW + seconds * 1_000).toISOString();

export const aBot = (more: Partial<Bot> = {}): Bot => ({
  bot_id: randomUUID(),
  session_id: randomUUID(),
  batch_id: randomUUID(),
  line: 2,
  row_digest: 'listing',
  state: 'queued',
  state_since: later(-60),
  revision: 1,
  attempts: 0,
  history: [{ at: later(-60), state: 'queued', step: 'intake' }],
  ...more,
});

export const aBatch = (more: Partial<Batch> = {}): Batch => ({
  batch_id: randomUUID(),
  status: 'imported',
  created_at: later(-600),
  total: 1,
  invalid: 0,
  duplicates: 0,
  chunks: 1,
  chunks_done: [1],
  ...more,
});

const notHere = async (): Promise<never> => {
  throw new Error('this step must not touch it');
};

const applied = (bot: Bot, changes: BotChanges): Bot => {
  const all = { ...bot, ...changes, revision: bot.revision + 1 };
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined)) as unknown as Bot;
};

export interface Memory {
  readonly services: Services;
  readonly bots: Map<string, Bot>;
  readonly batches: Map<string, Batch>;
  readonly rowErrors: Map<string, RowError[]>;
  readonly stuck: Map<string, Problem>;
  readonly objects: Map<string, { readonly body: Uint8Array; readonly contentType: string }>;
  readonly sent: { readonly queue: QueueName; readonly message: Message }[];
  readonly logged: { readonly code: LogCode; readonly fields: LogFields }[];
  /** How many updateBot calls there were. */
  updates: number;
}

/** A failing condition that no reading mends would otherwise spin for ever. */
const UPDATES_MAX = 50;

const mayUpdate = (row: Bot | undefined, bot: Bot, changes: BotChanges, from?: readonly BotState[]) =>
  row !== undefined &&
  row.revision === bot.revision &&
  (from === undefined || from.includes(row.state)) &&
  (changes.public_key === undefined ||
    row.public_key === undefined ||
    row.public_key === changes.public_key) &&
  (changes.pin_iterator === undefined ||
    row.pin_iterator === undefined ||
    row.pin_iterator < changes.pin_iterator);

/** Cursors are the index of the next item; whatever is no number is none of ours. */
const page = <T>(items: readonly T[], limit: number, cursor: string | undefined): Page<T> | undefined => {
  const start = Number(cursor ?? 0);
  if (!Number.isInteger(start)) return undefined;
  const rest = items.slice(start);
  return rest.length > limit
    ? { items: rest.slice(0, limit), cursor: String(start + limit) }
    : { items: rest };
};

/** @param more rows to begin with */
export const createMemory = (more: { bots?: readonly Bot[]; batches?: readonly Batch[] } = {}): Memory => {
  const bots = new Map((more.bots ?? []).map((bot) => [bot.bot_id, bot]));
  const batches = new Map((more.batches ?? []).map((batch) => [batch.batch_id, batch]));
  const rowErrors: Memory['rowErrors'] = new Map();
  const stuck: Memory['stuck'] = new Map();
  const objects: Memory['objects'] = new Map();
  const sent: Memory['sent'] = [];
  const logged: Memory['logged'] = [];
  const botsOf = ({ batch_id, state }: Pick<BotQuery, 'batch_id' | 'state'>) =>
    [...bots.values()].filter((bot) => bot.batch_id === batch_id && (!state || bot.state === state));

  const table: Table = {
    readBot: async (user_id) => bots.get(user_id),
    createBot: notHere,
    updateBot: async (bot, changes, from) => {
      memory.updates += 1;
      if (memory.updates > UPDATES_MAX) throw new Error('updateBot was called without end');
      if (!mayUpdate(bots.get(bot.bot_id), bot, changes, from)) return undefined;
      const next = applied(bot, changes);
      bots.set(bot.bot_id, next);
      return next;
    },
    listDueBots: notHere,
    listBots: async (query) => page(botsOf(query), query.limit, query.cursor),
    countBots: async (batch_id) => {
      const counts: BotCounts = { states: {}, network_users: {}, sign_ins: {} };
      const add = (to: StateCounts, state: BotState) => {
        to[state] = (to[state] ?? 0) + 1;
      };
      for (const { state, enrolment } of botsOf({ batch_id })) {
        add(counts.states, state);
        if (enrolment) add(enrolment.kind === 'sign_in' ? counts.sign_ins : counts.network_users, state);
      }
      return counts;
    },
    readBatch: async (batch_id) => batches.get(batch_id),
    createBatch: async (batch) => {
      if (batches.has(batch.batch_id)) return undefined;
      batches.set(batch.batch_id, batch);
      return batch;
    },
    recordListSummary: notHere,
    confirmBatch: async (batch_id) => {
      const batch = batches.get(batch_id);
      if (batch?.status !== 'planned') return undefined;
      const confirmed: Batch = { ...batch, status: 'importing' };
      batches.set(batch_id, confirmed);
      return confirmed;
    },
    createVerification: notHere,
    readVerification: notHere,
    recordChunkDone: notHere,
    recordStuck: async (batch_id, problem) => void stuck.set(batch_id, problem),
    putRowErrors: notHere,
    listRowErrors: async (batch_id, limit, cursor) => page(rowErrors.get(batch_id) ?? [], limit, cursor),
  };

  const services: Services = {
    compression,
    keys,
    auditSeconds: timing.auditSeconds,
    table,
    vault: {
      readKeystore: notHere,
      storeKeystore: notHere,
      storeKey: notHere,
      storeEnrolment: notHere,
      readEnrolment: notHere,
      removeEnrolment: notHere,
    },
    queues: {
      send: async (queue, messages) => void sent.push(...messages.map((message) => ({ queue, message }))),
    },
    uploads: {
      put: async (key, body, contentType) => void objects.set(key, { body, contentType }),
      get: async (key) => objects.get(key),
      remove: async (keys) => {
        for (const key of keys) objects.delete(key);
      },
      createForm: async ({ key }) => ({ url: 'https://bucket.example', fields: { key } }),
    },
    mixin: { readProfile: notHere, readPinErrors: notHere, setTipPin: notHere, registerSafe: notHere },
    accounts: { createUser: notHere, requestCode: notHere, signIn: notHere },
    log: (_level, code, fields = {}) => void logged.push({ code, fields }),
    now: () => NOW,
    randomBytes,
    randomId: randomUUID,
  };
  const memory: Memory = {
    services,
    bots,
    batches,
    rowErrors,
    stuck,
    objects,
    sent,
    logged,
    updates: 0,
  };
  return memory;
};

/** docs/openapi.json agrees with the contract, and with the answers of the API. */
import { expect, test } from 'vitest';
import * as z from 'zod';
import { describeApi } from '../../docs/openapi.ts';
import { accounts } from '../../lib/api/accounts.ts';
import { api } from '../../lib/api/api.ts';
import { type RouteName, routes } from '../../lib/api/contract.ts';
import type { HttpRequest } from '../../lib/api/http.ts';
import { createMixinError } from '../../lib/mixin/errors.ts';
import type { Batch } from '../../lib/model/batch.ts';
import type { Bot } from '../../lib/model/bot.ts';
import { limits } from '../../lib/model/limits.ts';
import type { Services } from '../../lib/model/ports.ts';
import { describeReason } from '../../lib/model/reasons.ts';
import { readPage } from './page.ts';

type Json = Readonly<Record<string, unknown>>;
interface Media {
  readonly schema: Json;
  readonly examples: Readonly<Record<string, { readonly value: unknown }>>;
}
interface Response {
  readonly content?: Readonly<Record<string, Media>>;
  readonly $ref?: string;
}
interface Operation {
  readonly operationId: string;
  readonly requestBody?: { readonly content: Readonly<Record<string, Media>> };
  readonly responses: Readonly<Record<string, Response>>;
}
interface Document {
  readonly info: { readonly version: string };
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: Readonly<Record<string, Readonly<Record<string, Json>>>>;
}

const source = readPage('docs/openapi.json');
const document = JSON.parse(source) as Document;
const operations = Object.values(document.paths).flatMap((methods) => Object.values(methods));

const resolve = <T extends { readonly $ref?: string }>(value: T): T => {
  if (value.$ref === undefined) return value;
  const [, , kind = '', name = ''] = value.$ref.split('/');
  const definition = document.components[kind]?.[name];
  if (!definition) throw new Error(`${value.$ref} leads nowhere`);
  return definition as unknown as T;
};

const withDefs = (schema: Json): Json =>
  JSON.parse(
    JSON.stringify({ ...schema, $defs: document.components.schemas }).replaceAll(
      '#/components/schemas/',
      '#/$defs/',
    ),
  ) as Json;
const validator = (schema: Json) => z.fromJSONSchema(withDefs(schema) as never);

const listMedia = (operation: Operation) => [
  ...Object.values(operation.requestBody?.content ?? {}),
  ...Object.values(operation.responses).flatMap((response) => Object.values(resolve(response).content ?? {})),
];

test('docs/openapi.json agrees with the contract; run npm run openapi after a change', () => {
  expect(document).toEqual(JSON.parse(JSON.stringify(describeApi())));
});

test('every reference of docs/openapi.json leads to a definition', () => {
  const references = [...source.matchAll(/"\$ref": "([^"]+)"/g)].map(([, $ref = '']) => $ref);
  expect(references.length).toBeGreaterThan(20);
  for (const $ref of references) expect(resolve({ $ref })).toBeTypeOf('object');
});

test.each(operations)('every example of $operationId in docs/openapi.json fits its schema', (operation) => {
  for (const { schema, examples } of listMedia(operation)) {
    const values = Object.values(examples).map(({ value }) => value);
    expect(values.length).toBeGreaterThan(0);
    for (const value of values) expect(validator(schema).safeParse(value)).toMatchObject({ success: true });
  }
});

test('no example in docs/openapi.json looks like a key', () => {
  expect(source).not.toMatch(/[0-9a-f]{64}/i);
});

const batch_id = '00000000-0000-4000-8000-00000000b001';
const user_id = '00000000-0000-4000-8000-000000000001';
const at = '2026-01-01T00:00:00.000Z';
const batch: Batch = {
  batch_id,
  status: 'importing',
  created_at: at,
  total: 2,
  invalid: 1,
  duplicates: 0,
  chunks: 1,
  chunks_done: [],
};
const bot: Bot = {
  bot_id: user_id,
  session_id: user_id,
  batch_id,
  line: 1,
  row_digest: 'digest',
  state: 'blocked',
  state_since: at,
  reason: describeReason('tip_key_missing'),
  revision: 1,
  public_key: 'ab'.repeat(32),
  attempts: 0,
  history: [{ at, state: 'blocked', step: 'check', code: 'tip_key_missing', request_id: batch_id }],
};
const rowError = {
  line: 2,
  row: 2,
  field: 'app_id',
  code: 'missing_field',
  message: 'It is missing.',
  fix: 'Add it.',
};

const plannedBatch: Batch = {
  ...batch,
  batch_id: '00000000-0000-4000-8000-00000000b003',
  status: 'planned',
  paid_rows: 3,
};
const knownBatches: ReadonlyMap<string, Batch> = new Map(
  [batch, plannedBatch].map((it) => [it.batch_id, it]),
);
/** Verifications for which Mixin answers with a deactivation or an error. */
const pending = '00000000-0000-4000-8000-00000000c002';
const signInErrors = new Map(
  (['sms_code_wrong', 'rate_limited', 'server_error', 'no_connection', 'no_answer'] as const).map(
    (code, i) => [`00000000-0000-4000-8000-00000000d00${i}`, code],
  ),
);
const failFor = (id: string) => {
  const code = signInErrors.get(id);
  if (code) throw createMixinError(code, { method: 'POST', request_id: user_id });
};
const fields: readonly string[] = [...signInErrors.keys()];
const [wrong = '', tooOften = '', broken = '', unreachable = '', silent = ''] = fields;
const request_id = user_id;
const account = { user_id, session_id: user_id, server_public_key: 'ab'.repeat(32), request_id };

/** The services that the API needs for its answers, and no more. */
const createdBatches = new Map<string, Batch>();
const services = (): Services => {
  const page = { items: [bot], cursor: 'more' };
  const rows = new Map([[user_id, bot]]);
  const table: Partial<Services['table']> = {
    readBatch: async (id) => knownBatches.get(id) ?? createdBatches.get(id),
    confirmBatch: async (id) => ({ ...(knownBatches.get(id) ?? batch), status: 'importing' }),
    createVerification: async () => undefined,
    readVerification: async (verification_id) => ({
      verification_id,
      device_id: user_id,
      ...(verification_id === pending && { deactivation_effective_at: at }),
    }),
    createBot: async (one) => {
      rows.set(one.bot_id, one);
      return one;
    },
    createBatch: async (one) => {
      if (createdBatches.has(one.batch_id)) return undefined;
      createdBatches.set(one.batch_id, one);
      return one;
    },
    countBots: async () => ({ states: { blocked: 1 }, network_users: {}, sign_ins: {}, followed_by: {} }),
    listRowErrors: async (_, __, cursor) =>
      cursor === undefined ? { items: [rowError], cursor: 'more' } : undefined,
    listBots: async ({ cursor }) => (cursor === undefined ? page : undefined),
    readBot: async (id) => rows.get(id),
    updateBot: async (before, changes) => {
      const after = { ...before, ...changes } as Bot;
      rows.set(after.bot_id, after);
      return after;
    },
  };
  return {
    table,
    uploads: {
      put: async () => undefined,
      createForm: async () => ({ url: 'https://bucket.example/', fields: { key: 'k' } }),
    },
    vault: {
      storeEnrolment: async (_id: string, secret: unknown) => ({ stored: secret, isNew: true }),
      readEnrolment: async () => ({ session_key: 'ab'.repeat(32) }),
      storeKeystore: async () => 'stored',
      removeEnrolment: async () => undefined,
    },
    accounts: {
      requestCode: async ({ device_id }: { device_id: string }) => {
        failFor(device_id);
        return { verification_id: batch_id, has_emergency_contact: false, request_id };
      },
      signIn: async (verification_id: string) => {
        failFor(verification_id);
        return { account, person: { full_name: 'A', has_pin: false } };
      },
    },
    queues: { send: async () => undefined },
    log: () => undefined,
    now: () => Date.parse(at) + 60_000,
    randomId: () => '00000000-0000-4000-8000-00000000b002',
    randomBytes: (length: number) => new Uint8Array(length),
  } as unknown as Services;
};

const list = Buffer.from('[{}]');
const headers = { 'content-type': 'application/json' };
const path = { batch_id };
const missing = { batch_id: user_id };
const body = (value: unknown) => Buffer.from(JSON.stringify(value));
const plan = { batch_id: plannedBatch.batch_id };
const codeFor = (device_id: string) => ({ body: body({ phone: '+8613800000000', device_id }) });
const signInWith = (verification_id: string) => ({ path: { verification_id }, body: body({ code: '1234' }) });
type Case = readonly [route: RouteName, status: number, request: Partial<HttpRequest>];
const cases: readonly Case[] = [
  ['createBatch', 202, { headers, body: list }],
  ['createBatch', 202, { headers: { ...headers, 'idempotency-key': 'invented-key' }, body: list }],
  ['createBatch', 400, { headers }],
  ['createBatch', 400, { headers: { ...headers, 'idempotency-key': 'short' }, body: list }],
  [
    'createBatch',
    409,
    { headers: { ...headers, 'idempotency-key': 'invented-key' }, body: Buffer.from('[]') },
  ],
  ['createBatch', 413, { headers, body: new Uint8Array(limits.maxInlineBytes + 1) }],
  ['createBatch', 415, { headers: { 'content-type': 'text/plain' }, body: list }],
  ['createUpload', 201, { body: Buffer.from('{"content_type":"text/csv"}') }],
  ['createUpload', 400, { body: Buffer.from('{"content_type":"text/html"}') }],
  ['completeUpload', 202, { path }],
  ['completeUpload', 404, { path: { batch_id: 'missing' } }],
  ['readBatch', 200, { path }],
  ['readBatch', 404, { path: missing }],
  ['readBatch', 200, { path: plan }],
  ['confirmBatch', 200, { path: plan, body: body({ accept_cost_usd: 1.5 }) }],
  ['confirmBatch', 400, { path: plan, body: body({ accept_cost_usd: '1.5' }) }],
  ['confirmBatch', 404, { path: missing, body: body({ accept_cost_usd: 1 }) }],
  ['confirmBatch', 409, { path, body: body({ accept_cost_usd: 1 }) }],
  ['confirmBatch', 422, { path: plan, body: body({ accept_cost_usd: 1.49 }) }],
  ['listRowErrors', 200, { path }],
  ['listRowErrors', 400, { path, query: { limit: '101' } }],
  ['listRowErrors', 400, { path, query: { cursor: 'x' } }],
  ['listRowErrors', 404, { path: missing }],
  ['listBots', 200, { path, query: { state: 'blocked' } }],
  ['listBots', 400, { path, query: { state: 'gone' } }],
  ['listBots', 404, { path: missing }],
  ['retryBatch', 200, { path }],
  ['retryBatch', 400, { path, body: Buffer.from('{"what": 1}') }],
  ['retryBatch', 400, { path, body: Buffer.from('{"cursor": "x"}') }],
  ['retryBatch', 404, { path: missing }],
  ['readBot', 200, { path: { bot_id: user_id.toUpperCase() } }],
  ['readBot', 404, { path: { bot_id: batch_id } }],
  ['retryBatch', 400, { path, body: body({ states: ['unsure'] }) }],
  ['requestCode', 200, codeFor(user_id)],
  ['requestCode', 400, { body: body({ phone: '123' }) }],
  ['requestCode', 400, { body: Buffer.from('{') }],
  ['requestCode', 422, codeFor(wrong)],
  ['requestCode', 429, codeFor(tooOften)],
  ['requestCode', 502, codeFor(broken)],
  ['requestCode', 503, codeFor(unreachable)],
  ['requestCode', 504, codeFor(silent)],
  ['signIn', 201, signInWith(batch_id)],
  ['signIn', 400, { path: { verification_id: batch_id }, body: body({}) }],
  ['signIn', 404, { path: { verification_id: 'x' }, body: body({ code: '1234' }) }],
  ['signIn', 409, signInWith(pending)],
  ['signIn', 422, signInWith(wrong)],
  ['signIn', 429, signInWith(tooOften)],
  ['signIn', 503, signInWith(unreachable)],
  ['signIn', 504, signInWith(silent)],
  ['signIn', 504, signInWith(broken)],
];

test.each(cases)(
  'the answer of %s with status %i is as docs/openapi.json describes it',
  async (route, status, request) => {
    const empty = { path: {}, query: {}, headers: {}, body: new Uint8Array() };
    const answer = await { ...api, ...accounts }[route](services(), { ...empty, ...request });
    expect(answer.status).toBe(status);
    const operation = operations.find(({ operationId }) => operationId === route);
    const content = resolve(operation?.responses[String(status)] ?? {}).content ?? {};
    const type = status >= 400 ? 'application/problem+json' : 'application/json';
    expect(Object.keys(content)).toEqual([type]);
    const body: unknown = JSON.parse(JSON.stringify(answer.body));
    expect(validator(content[type]?.schema ?? {}).safeParse(body)).toMatchObject({ success: true });
    if (status < 400) expect(routes[route].answer.body.safeParse(body)).toMatchObject({ success: true });
  },
);

test('every status of docs/openapi.json is tested, but the unexpected error and that of AWS', () => {
  for (const { operationId, responses } of operations) {
    const statuses = cases.filter(([route]) => route === operationId).map(([, status]) => String(status));
    expect([...new Set([...statuses, '500', '503'])].sort()).toEqual(Object.keys(responses).sort());
  }
});

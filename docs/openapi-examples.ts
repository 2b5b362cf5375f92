/** Examples of the OpenAPI document. A test reads each with the schema that it is an example of. */
import type { RouteName } from '../lib/api/contract.ts';
import { createMixinError } from '../lib/mixin/errors.ts';
import { describeReason } from '../lib/model/reasons.ts';
import { states } from '../lib/model/states.ts';

const batch_id = '00000000-0000-4000-8000-00000000b001';
const bot_id = '00000000-0000-4000-8000-000000000001';
const session_id = '00000000-0000-4000-8000-000000000002';
const verification_id = '00000000-0000-4000-8000-00000000c001';

/** Values of path and header parameters. */
export const parameterExamples: Readonly<Record<string, string>> = {
  batch_id,
  bot_id,
  verification_id,
  'idempotency-key': 'list-of-2026-11-25',
};

const noKey = 'made-up: 64 hex characters';
const keystore = {
  app_id: bot_id,
  session_id,
  server_public_key: noKey,
  session_private_key: noKey,
};

/** A list in each format, under the format's name. */
export const listExamples = {
  json: {
    keystores: [keystore],
    network_users: { create: { owner: bot_id, count: 3, full_name: 'Wallet {n}' } },
  },
  jsonl: `${JSON.stringify(keystore)}\n`,
  csv: `${Object.keys(keystore).join(',')}\n${Object.values(keystore).join(',')}\n`,
  zip: '(bytes)',
} as const;

/** Bodies of requests. */
export const requestExamples: Readonly<Partial<Record<RouteName, Readonly<Record<string, unknown>>>>> = {
  createUpload: { csv: { content_type: 'text/csv' } },
  confirmBatch: { cost: { accept_cost_usd: 1.5 } },
  retryBatch: {
    all: {},
    one_reason: { states: ['blocked'], reason: 'session_refused' },
    pay_again: { states: ['unsure'], pay_again: [{ bot_id, state_since: '2026-11-25T09:00:00.000Z' }] },
  },
  requestCode: { phone: { phone: '+8613800000000' } },
  signIn: { code: { code: '1234' } },
};

const zeros = Object.fromEntries(states.map((state) => [state, 0]));
const rowError = {
  row: 2,
  line: 3,
  field: 'session_id',
  code: 'missing_field',
  message: 'session_id is missing.',
  fix: 'Use a keystore in the dashboard format: app_id, session_id, server_public_key, session_private_key.',
};
const batch = {
  batch_id,
  status: 'imported',
  created_at: '2026-01-01T00:00:00.000Z',
  total: 4,
  invalid: 1,
  duplicates: 0,
  states: { ...zeros, registered: 2, blocked: 1 },
  accepted: 3,
  finished: 3,
  not_in_batch: 0,
  percent_done: 100,
  bots_per_minute: null,
  eta_seconds: null,
  errors: [rowError],
  more_errors: false,
  errors_left_out: 0,
};
const rejected = {
  ...batch,
  status: 'rejected',
  total: 0,
  invalid: 0,
  states: zeros,
  accepted: 0,
  finished: 0,
  errors: [],
  problem: {
    code: 'not_a_json_array',
    message: 'The list is not a JSON array, or it breaks off.',
    fix: 'Send [ {…}, {…} ], or JSON Lines as application/x-ndjson.',
  },
};
const blocked = {
  bot_id,
  user_id: bot_id,
  batch_id,
  line: 1,
  state: 'blocked',
  state_since: '2026-01-01T00:00:02.000Z',
  reason: describeReason('tip_key_missing'),
  history: [
    { at: '2026-01-01T00:00:00.000Z', state: 'queued', step: 'intake' },
    {
      at: '2026-01-01T00:00:02.000Z',
      state: 'blocked',
      step: 'check',
      code: 'tip_key_missing',
      request_id: '00000000-0000-4000-8000-0000000000f1',
    },
  ],
};
const planned = {
  bot_id: '00000000-0000-4000-8000-00000000e001',
  batch_id,
  line: 1,
  state: 'queued',
  state_since: '2026-01-01T00:00:00.000Z',
  enrolment: { kind: 'network_user', owner: bot_id, full_name: 'Wallet 1' },
  history: [{ at: '2026-01-01T00:00:00.000Z', state: 'queued', step: 'intake' }],
};
const received = { batch_id, status: 'received' };

/** Bodies of answers. */
export const answerExamples: Readonly<Record<RouteName, Readonly<Record<string, unknown>>>> = {
  createBatch: { received },
  createUpload: {
    form: {
      batch_id,
      url: 'https://bucket.example/',
      fields: { key: `${batch_id}/list`, 'Content-Type': 'text/csv' },
      max_bytes: 20_000_000,
      expires_in_seconds: 900,
    },
  },
  completeUpload: { received },
  readBatch: { imported: batch, rejected },
  confirmBatch: { importing: { batch_id, status: 'importing' } },
  listRowErrors: { errors: { errors: [rowError] } },
  listBots: { bots: { bots: [blocked, planned] } },
  retryBatch: { count: { retried: 12, pin_locked: 1 } },
  readBot: { blocked, without_account: planned },
  requestCode: {
    verification: { verification_id, device_id: bot_id, has_emergency_contact: false },
  },
  signIn: {
    session: {
      bot_id,
      user_id: bot_id,
      session_id,
      batch_id,
      state: 'enrolling',
      account: { identity_number: '7000', full_name: '' },
    },
  },
};

const call = { method: 'POST', request_id: '00000000-0000-4000-8000-0000000000f1' } as const;

/** Errors of Mixin, by the status that the API answers them with. */
export const mixinErrors = {
  422: createMixinError('captcha_required', { ...call, captcha: 'hcaptcha' }),
  429: createMixinError('sms_too_often', call),
  502: createMixinError('server_error', call),
  503: createMixinError('no_connection', call),
  504: createMixinError('no_answer', call),
} as const;

/** What the API answers, as far as the command line looks at it. */
import { z } from 'zod';

const reason = z.object({ code: z.string(), message: z.string(), fix: z.string() });

const rowError = z.looseObject({
  /** Of an archive. */
  file: z.string().optional(),
  row: z.number(),
  line: z.number(),
  field: z.string(),
  code: z.string(),
  message: z.string(),
  fix: z.string(),
});
export type RowErrorView = z.infer<typeof rowError>;

/** Of the users that a batch creates. `unsure`: the answer was lost, so they may be there or not. */
const cost = z.looseObject({
  price_usd: z.number(),
  planned_users: z.number(),
  planned_usd: z.number(),
  created_users: z.number(),
  created_usd: z.number(),
  unsure_users: z.number(),
  unsure_usd: z.number(),
});
export type CostView = z.infer<typeof cost>;

export const batch = z.looseObject({
  batch_id: z.string(),
  status: z.enum(['received', 'rejected', 'planned', 'importing', 'imported', 'stuck']),
  created_at: z.string(),
  total: z.number(),
  invalid: z.number(),
  duplicates: z.number(),
  accepted: z.number(),
  finished: z.number(),
  not_in_batch: z.number(),
  percent_done: z.number(),
  bots_per_minute: z.number().nullable(),
  eta_seconds: z.number().nullable(),
  states: z.record(z.string(), z.number()),
  cost: cost.optional(),
  problem: z.object({ code: z.string(), message: z.string(), fix: z.string() }).optional(),
  errors: z.array(rowError),
  more_errors: z.boolean(),
});
export type BatchView = z.infer<typeof batch>;

const historyEntry = z.looseObject({
  at: z.string(),
  state: z.string(),
  step: z.string(),
  code: z.string().optional(),
  request_id: z.string().optional(),
});

/** How a row that has no account yet gets one. */
const enrolment = z.discriminatedUnion('kind', [
  z.looseObject({ kind: z.literal('network_user'), owner: z.string(), full_name: z.string() }),
  z.looseObject({ kind: z.literal('sign_in'), verification_id: z.string() }),
]);
export type EnrolmentView = z.infer<typeof enrolment>;

export const bot = z.looseObject({
  /** Of an enrolment, an id of Enlist's own. */
  bot_id: z.string(),
  batch_id: z.string(),
  line: z.number(),
  state: z.string(),
  state_since: z.string(),
  wait_until: z.string().optional(),
  public_key: z.string().optional(),
  enrolment: enrolment.optional(),
  /** The account that an enrolment made. */
  account_id: z.string().optional(),
  reason: reason.optional(),
  history: z.array(historyEntry),
});
export type BotView = z.infer<typeof bot>;

export const botPage = z.object({ bots: z.array(bot), cursor: z.string().optional() });
export type BotPage = z.infer<typeof botPage>;
export const errorPage = z.object({ errors: z.array(rowError), cursor: z.string().optional() });
export type ErrorPage = z.infer<typeof errorPage>;
export const received = z.object({ batch_id: z.string(), status: z.string() });
export type Received = z.infer<typeof received>;
export const form = z.object({
  batch_id: z.uuid(),
  url: z.url(),
  fields: z.record(z.string(), z.string()),
});
export type Form = z.infer<typeof form>;
export const retried = z.object({
  retried: z.number(),
  pin_locked: z.number(),
  cursor: z.string().optional(),
});
export type Retried = z.infer<typeof retried>;

/** A code was sent to a phone. */
export const verification = z.looseObject({
  verification_id: z.string(),
  device_id: z.string(),
  has_emergency_contact: z.boolean().optional(),
  deactivation_requested_at: z.string().optional(),
  deactivation_effective_at: z.string().optional(),
});
export type VerificationView = z.infer<typeof verification>;

/** An account is signed in, and on its way into Safe. */
export const signedIn = z.looseObject({
  user_id: z.string(),
  batch_id: z.string(),
  state: z.string(),
  /** What Mixin told of the person; nothing of it is certain to be there. */
  account: z.record(z.string(), z.unknown()),
});
export type SignedInView = z.infer<typeof signedIn>;

/** RFC 9457; `request_id` and `captcha` where Mixin was behind it, `user_id` of the account it is about. */
export const problem = z.object({
  code: z.string(),
  detail: z.string(),
  fix: z.string(),
  request_id: z.string().optional(),
  captcha: z.string().optional(),
  user_id: z.string().optional(),
});

/** API Gateway's own words. */
export const gatewayMessage = z.union([
  z.object({ message: z.string() }).transform(({ message }) => message),
  z.object({ Message: z.string() }).transform(({ Message }) => Message),
]);

/** What the API is sent and what it answers, in zod. The text of `error` is the `fix` of a field that is not valid. */
import * as z from 'zod';
import { type ContentType, listFormats } from '../lists/formats.ts';
import type { BatchStatus } from '../model/batch.ts';
import { networkUserSchema, platforms, signInFieldsSchema, signInSchema } from '../model/enrolment.ts';
import { limits } from '../model/limits.ts';
import { mixin } from '../model/mixin.ts';
import { reasonCodes } from '../model/reasons.ts';
import { type BotState, retryStates, states } from '../model/states.ts';
import { CURSOR_FIX } from './problems.ts';

/** Items of one page at most, and the errors that a batch shows. */
export const PAGE_MAX = 100;

/** How to accept that a call may be paid for twice. */
export const PAY_AGAIN_FIX =
  'To accept that, send {"states": ["unsure"], "pay_again": [{"bot_id": …, "state_since": …}]} with the rows that you compared with the bill.';

const id = z.guid();
const time = z.iso.datetime({ offset: true });
const count = z.int().nonnegative();
const usd = z.number().nonnegative();
const cursor = z
  .string()
  .describe('There when more follows. Send it back unchanged to go on.')
  .exactOptional();

const botState = z.enum(states).describe('docs/flow.md explains each state.');

const statusTexts: Readonly<Record<BatchStatus, string>> = {
  received: 'stored, and not read yet',
  rejected: 'nothing of the list can be read; see `problem`',
  planned: 'read, and waiting until its cost is accepted',
  importing: 'read, and its rows are being imported',
  imported: 'all rows are imported',
  stuck: 'intake crashed on it every time; see `problem`',
};
const batchStatuses = Object.keys(statusTexts) as [BatchStatus, ...BatchStatus[]];
const batchStatus = z.enum(batchStatuses).describe(
  Object.entries(statusTexts)
    .map(([status, text]) => `\`${status}\`: ${text}.`)
    .join(' '),
);

const batchReference = z.object({ batch_id: id, status: batchStatus });

/** Every error has these. @param codes the sentence that says where the codes are listed */
const problemFields = (codes: string) => ({
  code: z.string().describe(`Stable, for scripts. ${codes}`),
  message: z.string().describe('What happened. Never quotes a value.'),
  fix: z.string().describe('What to do about it.'),
});

const listProblem = z
  .object(problemFields('The codes are in docs/keystores.md.'))
  .describe('What is wrong with a whole list.');

const rowError = z.object({
  file: z.string().describe('The file of a ZIP archive that the row is in.').exactOptional(),
  row: z.int().min(1).describe('Which row of the list, from 1.'),
  line: z.int().min(1).describe('Where the row begins in the file, from 1.'),
  field: z.string().describe('`(row)` for the row as a whole.'),
  ...problemFields('The codes are in docs/keystores.md.'),
});

const cost = z
  .object({
    price_usd: usd.describe('The price of one user.'),
    planned_users: count.describe('Users that the list asks for.'),
    planned_usd: usd.describe('What they cost.'),
    created_users: count.describe('Users that Mixin confirmed as created.'),
    created_usd: usd.describe('What they cost.'),
    unsure_users: count.describe(
      'Users that may have been created: the call was sent and its answer was lost.',
    ),
    unsure_usd: usd.describe('What they may have cost.'),
  })
  .describe('Present for a list that asks for network users. Mixin charges their owner.');

const stateCounts = z
  .object(
    Object.fromEntries(
      states.map((state) => [
        state,
        state === 'enrolled'
          ? count.describe(
              'Rows whose account has a row of its own now. They are in none of the other numbers.',
            )
          : count,
      ]),
    ) as Record<BotState, typeof count>,
  )
  .describe('Bots by state, zeroes included. Counted for each request; a bot that is moving may be missed.');

const batch = z.object({
  batch_id: id,
  status: batchStatus,
  created_at: time,
  total: count.describe('Rows of the list; 0 until it is read.'),
  invalid: count.describe('Rows with errors.'),
  duplicates: count.describe('Rows whose bot or sign-in is in an earlier row of the list.'),
  states: stateCounts,
  accepted: count.describe('total − invalid − duplicates.'),
  finished: count.describe(
    'Bots that no step touches by itself, audits aside: registered, external, blocked, failed, and unsure rows without an account.',
  ),
  not_in_batch: count.describe(
    'Rows whose bot a later list named again, or that were refused while they were imported. 0 until the whole list is imported.',
  ),
  followed_by: z
    .array(z.object({ batch_id: id, bots: count }))
    .describe(
      'Bots of this list that a later list named again, by the batch of that list: they count there. Present if there are any.',
    )
    .exactOptional(),
  new_secrets: count
    .describe(
      'Secrets that importing the list creates: rows whose bot or sign-in had no row when the list was read. Network users get theirs later.',
    )
    .exactOptional(),
  percent_done: z.int().min(0).max(100),
  bots_per_minute: z
    .number()
    .nullable()
    .describe('Since the batch was created; null before the first bot is finished and after the last.'),
  eta_seconds: z.int().nullable().describe('Time left at that rate.'),
  cost: cost.exactOptional(),
  problem: listProblem.exactOptional(),
  errors: z.array(rowError).max(PAGE_MAX).describe('The first errors of the rows.'),
  more_errors: z.boolean().describe('There are more: see GET /batches/{batch_id}/errors.'),
  errors_left_out: count.describe(
    `Errors beyond the first ${limits.maxErrors.toLocaleString('en-US')}, which are counted and not stored.`,
  ),
});

const rowErrorPage = z.object({ errors: z.array(rowError), cursor });

const reason = z.object(problemFields('The codes are in docs/reasons.md.'));

const historyEntry = z.object({
  at: time,
  state: botState,
  step: z.string().describe('intake, enroll, check, register, recheck, accounts, or api for a retry.'),
  code: z.string().describe('The code of the reason.').exactOptional(),
  request_id: z
    .string()
    .describe("The X-Request-Id of the call to Mixin: Mixin's support asks for it.")
    .exactOptional(),
});

const enrolment = z
  .discriminatedUnion('kind', [networkUserSchema, signInSchema])
  .describe('How a row without an account gets one; the owner is the bot that creates a network user.');

const bot = z.object({
  bot_id: id.describe("Mixin's user id; while there is no account, an id of Enlist's own."),
  user_id: id
    .describe(
      "Mixin's id of the account; absent while there is none. In the row of an enrolment: the account that was made for it.",
    )
    .exactOptional(),
  batch_id: id.describe('The last batch whose list named the bot.'),
  line: z.int().min(1).describe('Its line in that list.'),
  label: z
    .string()
    .describe('What people call the bot: label, name or full_name of its row, up to 100 characters.')
    .exactOptional(),
  state: botState,
  state_since: time,
  reason: reason.exactOptional(),
  public_key: z
    .string()
    .regex(/^[0-9a-f]{64}$/)
    .describe('The spend key, 64 hex characters; present once its private half is stored.')
    .exactOptional(),
  wait_until: time.describe('Nothing happens before this time.').exactOptional(),
  enrolment: enrolment.exactOptional(),
  history: z
    .array(historyEntry)
    .max(60)
    .describe('Oldest first. Of a long history the first ten and the newest entries are stored.'),
});

const botPage = z.object({ bots: z.array(bot), cursor });

const retryCount = z.object({
  retried: count.describe('Bots that were queued again.'),
  pin_locked: count.describe('Bots that keep waiting because their PIN is locked.'),
  cursor,
});

const confirmation = z.strictObject({
  accept_cost_usd: z
    .number({ error: 'Send {"accept_cost_usd": a number of US dollars}.' })
    .nonnegative({ error: 'Send {"accept_cost_usd": a number of US dollars}.' })
    .describe('The most that the users of the list may cost.'),
});

const retryOptions = z.strictObject({
  states: z
    .array(z.enum(retryStates, { error: `Use one of ${retryStates.join(', ')}.` }), {
      error: `Send {} or {"states": [one of ${retryStates.join(', ')}]}.`,
    })
    .nonempty({ error: 'Name at least one state, or leave it out.' })
    .default(['blocked', 'failed'])
    .describe('Which bots to try again. `unsure` applies to rows without an account, and needs `pay_again`.'),
  reason: z
    .enum(reasonCodes, { error: 'Use a code of docs/reasons.md, or leave it out.' })
    .describe('Only bots with this reason code.')
    .exactOptional(),
  cursor: z.string({ error: CURSOR_FIX }).describe('Where the request before stopped.').exactOptional(),
  pay_again: z
    .array(
      z.strictObject({
        bot_id: z.guid({ error: 'Use the bot_id of the row as GET shows it.' }),
        state_since: z.string({ error: 'Use the state_since of the row as GET shows it.' }),
      }),
      { error: PAY_AGAIN_FIX },
    )
    .nonempty({ error: PAY_AGAIN_FIX })
    .max(PAGE_MAX, { error: `Name at most ${PAGE_MAX} rows in one request.` })
    .describe(
      'Required with `unsure`: the rows whose call is sent again, although it may have created an account and cost money. A row whose `state_since` is another by now is left as it is.',
    )
    .exactOptional(),
});

const listTypes = Object.keys(listFormats) as [ContentType, ...ContentType[]];

const uploadOptions = z.strictObject({
  content_type: z.enum(listTypes, { error: `Send {"content_type": one of ${listTypes.join(', ')}}.` }),
});

const uploadForm = z.object({
  batch_id: id,
  url: z.url(),
  fields: z.record(z.string(), z.string()),
  max_bytes: z.int().min(1),
  expires_in_seconds: z.int().min(1),
});

const listRow = z
  .looseObject({
    app_id: id.describe("The bot's user id.").exactOptional(),
    session_id: id.exactOptional(),
    server_public_key: z.string().describe('64 hex characters.').exactOptional(),
    session_private_key: z.string().describe('64 hex characters.').exactOptional(),
    spend_private_key: z
      .string()
      .describe('64 hex characters; for a bot that has its Safe key already.')
      .exactOptional(),
    tip_private_key: z
      .string()
      .describe('64 hex characters; for an account that has a TIP PIN already.')
      .exactOptional(),
  })
  .describe(
    'A keystore of any format, a sign-in (verification_id, code) or a network user (owner, full_name). The fields are in docs/keystores.md; other fields are ignored.',
  );

const createList = z.strictObject({
  create: z.strictObject({
    owner: id.describe('User id of the bot that creates them. Its keystore must be in the vault.'),
    count: z.int().min(1).max(limits.maxRows),
    full_name: z.string().min(1).max(128).describe('`{n}` in it becomes the number of the user, from 1.'),
    accept_cost_usd: usd
      .describe('Accepts the cost at once; without it the batch waits as `planned`.')
      .exactOptional(),
  }),
});

/** A list as JSON, as the document describes it; lib/lists reads it. */
const jsonList = z.union([z.array(listRow).min(1), createList, listRow]);

const SHORT_LINE = 'Use 1 to 100 printable ASCII characters, or leave it out.';
const shortLine = z
  .string({ error: SHORT_LINE })
  .max(100, { error: SHORT_LINE })
  .regex(/^[\x20-\x7e]+$/, { error: SHORT_LINE });
const captchaAnswer = z
  .string({ error: "Send the captcha's own text, or leave it out." })
  .min(1)
  .max(10_000)
  .exactOptional();
const PHONE = 'Send one number in international form, such as "+8613800000000".';

const { shape: signIns } = signInFieldsSchema;

const device = {
  platform: z
    .enum(platforms, { error: `Send one of ${platforms.join(', ')}, or leave it out.` })
    .default(mixin.device.platform),
  platform_version: shortLine.default(mixin.device.platform_version),
  app_version: shortLine
    .default(mixin.device.app_version)
    .describe('Mixin refuses versions that are too old (client_too_old).'),
  package_name: shortLine.default(mixin.device.package_name),
  device_id: z
    .guid({ error: 'Send a UUID, or leave it out.' })
    .toLowerCase()
    .describe('Sent as Mixin-Device-Id; a random one if absent. Use the same for the code and the sign-in.')
    .exactOptional(),
  purpose: z.literal('SESSION', { error: 'Send "SESSION" or leave it out.' }).default('SESSION'),
};

const codeRequest = z.strictObject({
  phone: z
    .string({ error: PHONE })
    .regex(/^\+[1-9]\d{6,14}$/, { error: PHONE })
    .describe('E.164. It goes to Mixin and is not stored.'),
  ...device,
  g_recaptcha_response: captchaAnswer.describe(
    "A person's answer to a captcha, as the captcha's own page gives it. So are the fields below.",
  ),
  hcaptcha_response: captchaAnswer,
  gt4_lot_number: captchaAnswer,
  gt4_captcha_output: captchaAnswer,
  gt4_pass_token: captchaAnswer,
  gt4_gen_time: captchaAnswer,
});

const verification = z.object({
  verification_id: id,
  device_id: id,
  has_emergency_contact: z.boolean(),
  contact_id: z.string().exactOptional(),
  deactivation_requested_at: z.string().exactOptional(),
  deactivation_effective_at: z
    .string()
    .describe('The account is to be deleted then; signing in cancels that.')
    .exactOptional(),
});

/** As the document describes it. lib/lists reads it as it reads a row: with space around, in any case. */
const signIn = z.looseObject({
  code: z
    .string()
    .regex(/^\d{4,8}$/)
    .describe('The digits of the SMS, as text. Not stored for longer than the sign-in takes.'),
  session_key: signIns.session_key
    .default('ed25519')
    .describe('The kind of session key that is created: `ed25519` as the apps do, or `rsa`.'),
  ...device,
  notification_token: signIns.notification_token.describe('An APNS or FCM token, passed on to Mixin.'),
  registration_id: signIns.registration_id.describe('Of the Signal protocol; created if absent.'),
  abort_deactivation: z
    .literal(true)
    .describe('Sign in although the account is to be deleted, which cancels that.')
    .exactOptional(),
});

const newSession = z.object({
  bot_id: id,
  user_id: id,
  session_id: id,
  batch_id: id.describe('A batch of this one account.'),
  state: botState,
  account: z
    .record(z.string(), z.unknown())
    .describe(
      'What Mixin answered about the account: identity_number, full_name, phone and others. No key is among it.',
    ),
});

const problemDocument = z
  .object({
    type: z.literal('about:blank'),
    title: z.string(),
    status: z.int(),
    ...problemFields("Mixin's are in docs/mixin.md."),
    field: z.string().describe('The field of the request that it is about.').exactOptional(),
    verdict: z
      .enum(['again', 'never', 'unsure'])
      .describe(
        "What Mixin's answer means. `again`: try later. `never`: refused until somebody acts. `unsure`: it may have taken effect.",
      )
      .exactOptional(),
    request_id: z.string().describe('The X-Request-Id of the call to Mixin.').exactOptional(),
    captcha: z
      .enum(['recaptcha', 'hcaptcha', 'geetest'])
      .describe('The captcha that Mixin asks for. Enlist does not work around it.')
      .exactOptional(),
    deactivation_effective_at: z.string().describe('When the account is to be deleted.').exactOptional(),
    user_id: z.string().describe('The account that was signed in already.').exactOptional(),
  })
  .describe('A problem document (RFC 9457); `message` stands in place of `detail`.');

/** What a request may carry, under the names of the OpenAPI document. */
export const requests = {
  UploadOptions: uploadOptions,
  Confirmation: confirmation,
  RetryOptions: retryOptions,
  CodeRequest: codeRequest,
  SignIn: signIn,
  List: jsonList,
  CreateList: createList,
  Row: listRow,
} as const;

/** What the API answers, under the names of the OpenAPI document. */
export const answers = {
  BotState: botState,
  BatchStatus: batchStatus,
  BatchReference: batchReference,
  UploadForm: uploadForm,
  Batch: batch,
  Cost: cost,
  ListProblem: listProblem,
  RowError: rowError,
  RowErrorPage: rowErrorPage,
  Bot: bot,
  Reason: reason,
  HistoryEntry: historyEntry,
  Enrolment: enrolment,
  BotPage: botPage,
  RetryCount: retryCount,
  Verification: verification,
  NewSession: newSession,
  ProblemDocument: problemDocument,
} as const;

type AnswerOf<Name extends keyof typeof answers> = z.output<(typeof answers)[Name]>;
export type BatchReferenceView = AnswerOf<'BatchReference'>;
export type UploadFormView = AnswerOf<'UploadForm'>;
export type BatchView = AnswerOf<'Batch'>;
export type CostView = AnswerOf<'Cost'>;
export type RowErrorView = AnswerOf<'RowError'>;
export type RowErrorPageView = AnswerOf<'RowErrorPage'>;
export type BotView = AnswerOf<'Bot'>;
export type EnrolmentView = AnswerOf<'Enrolment'>;
export type BotPageView = AnswerOf<'BotPage'>;
export type RetryCountView = AnswerOf<'RetryCount'>;
export type VerificationView = AnswerOf<'Verification'>;
export type NewSessionView = AnswerOf<'NewSession'>;
export type ProblemView = AnswerOf<'ProblemDocument'>;

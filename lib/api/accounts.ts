/**
 * accounts: signs one account in with a code, while the operator waits. Codes are short-lived, so nothing here is
 * queued: the answer says what happened. Asking for a code is for one phone at a time, on purpose never from a list.
 */
import { z } from 'zod';
import { newBatch } from '../batches/progress.ts';
import { enrollRow } from '../bots/enroll.ts';
import { enrolmentId } from '../bots/enrolment.ts';
import { newSessionKey, withDevice } from '../bots/sign-in.ts';
import { moveBot } from '../bots/transition.ts';
import { upsertBot } from '../bots/upsert.ts';
import { type FieldError, type ListedSignIn, readSignIn } from '../lists/row.ts';
import type { Bot, Reason } from '../model/bot.ts';
import { functions } from '../model/deployment.ts';
import type { SignInRequest } from '../model/enrolment.ts';
import { isRsaKey } from '../model/keystore.ts';
import { mixin } from '../model/mixin.ts';
import { MixinError } from '../model/mixin-error.ts';
import type { Services, SignInResult } from '../model/ports.ts';
import { allows } from '../model/states.ts';
import { ok, parseBody } from './answers.ts';
import { type Answers, type HttpAnswer, type HttpRequest, problem } from './http.ts';

const step = 'accounts';
/** Left of the function's time for its own ending. */
const SPARE_SECONDS = 3;

const statusOf = ({ verdict, code }: MixinError): number => {
  if (code === 'rate_limited' || code === 'sms_too_often') return 429;
  if (verdict === 'never') return 422;
  if (verdict === 'again') return 503;
  return code === 'no_answer' ? 504 : 502;
};

/** What Mixin refused, or did not answer, as a problem document. */
const mixinProblem = (error: MixinError): HttpAnswer => {
  const { code, verdict, request_id, captcha, message, fix } = error;
  return problem(statusOf(error), code, message, fix, {
    verdict,
    ...(request_id !== undefined && { request_id }),
    ...(captcha !== undefined && { captcha }),
  });
};

const orProblem = async (work: Promise<HttpAnswer>): Promise<HttpAnswer> => {
  try {
    return await work;
  } catch (error) {
    if (error instanceof MixinError) return mixinProblem(error);
    throw error;
  }
};

const badField = ({ field, message, fix }: Pick<FieldError, 'field' | 'message' | 'fix'>): HttpAnswer =>
  problem(400, 'bad_body', `${field}: ${message}`, fix, { field });

const line = z
  .string()
  .max(100)
  .regex(/^[\x20-\x7e]+$/);
const answerOfCaptcha = z.string().min(1).max(10_000).optional();

const codeRequest = z.strictObject({
  phone: z.string().regex(/^\+[1-9]\d{6,14}$/),
  purpose: z.literal('SESSION').default('SESSION'),
  device_id: z.guid().toLowerCase().optional(),
  platform: z.enum(['iOS', 'Android']).default(mixin.device.platform),
  platform_version: line.default(mixin.device.platform_version),
  app_version: line.default(mixin.device.app_version),
  package_name: line.default(mixin.device.package_name),
  g_recaptcha_response: answerOfCaptcha,
  hcaptcha_response: answerOfCaptcha,
  gt4_lot_number: answerOfCaptcha,
  gt4_captcha_output: answerOfCaptcha,
  gt4_pass_token: answerOfCaptcha,
  gt4_gen_time: answerOfCaptcha,
});

const fixes: Readonly<Record<string, string>> = {
  phone: 'Send one number in international form, such as "+8613800000000".',
  purpose: 'Send "SESSION" or leave it out.',
  platform: 'Send "iOS" or "Android".',
  device_id: 'Send a UUID, or leave it out.',
};

/** The body's fields, or the first thing that is wrong with them. Never quotes a value. */
const readFields = ({ body }: HttpRequest): Record<string, unknown> | undefined =>
  parseBody(z.record(z.string(), z.unknown()), body);

const notAnObject = () =>
  problem(400, 'bad_body', 'The body is not a JSON object.', 'Send {"phone": …}; see docs/openapi.json.');

const requestCode = async (services: Services, request: HttpRequest): Promise<HttpAnswer> => {
  const fields = readFields(request);
  if (!fields) return notAnObject();
  const parsed = codeRequest.safeParse(fields);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    const unknown = issue?.code === 'unrecognized_keys';
    const field = String(issue?.path[0] ?? '(body)');
    return badField({
      field,
      message: unknown ? 'It has a field that is not known.' : 'It is missing or not valid.',
      fix: fixes[field] ?? 'See docs/openapi.json for what may be sent.',
    });
  }
  const { phone, purpose, platform, platform_version, app_version, package_name, device_id, ...answers } =
    parsed.data;
  const device = device_id ?? services.randomId();
  const captcha = Object.fromEntries(
    Object.entries(answers).filter((entry): entry is [string, string] => entry[1] !== undefined),
  );
  const verification = await services.accounts.requestCode({
    phone,
    purpose,
    device_id: device,
    platform,
    platform_version,
    app_version,
    package_name,
    captcha,
  });
  const { request_id: _, ...told } = verification;
  const { verification_id, deactivation_effective_at } = verification;
  await services.table.createVerification({
    verification_id,
    device_id: device,
    ...(deactivation_effective_at !== undefined && { deactivation_effective_at }),
  });
  services.log('info', 'code_requested', { request_id: verification.request_id });
  return ok({ ...told, device_id: device });
};

const conflict = (code: string, detail: string, fix: string, more = {}) =>
  problem(409, code, detail, fix, more);

const deactivationPending = (at: string) =>
  conflict(
    'deactivation_pending',
    'The account is to be deleted soon, and signing in calls that off.',
    'Send "abort_deactivation": true with the code if the account shall stay.',
    { deactivation_effective_at: at },
  );

/** The row says where the sign-in stands: why it is not to be tried now, if it is not. */
const refuseState = ({ state, reason, account }: Bot): HttpAnswer | undefined => {
  if (state === 'enrolled') {
    return conflict('signed_in_already', 'This code was used before.', 'Look at the bot it signed in.', {
      user_id: account?.user_id,
    });
  }
  if (state === 'unsure' && reason) return problemOf(reason, 409);
  return undefined;
};

const problemOf = ({ code, message, fix }: Reason, status: number) => problem(status, code, message, fix);

const busy = () =>
  conflict('sign_in_busy', 'This sign-in is being made at this moment.', 'Ask for its state in a minute.');

/** The sign-in's own batch of one, so that it can be looked up and watched like any other. */
const makeBatch = async (services: Services, batch_id: string) => {
  const at = newBatch(batch_id, services.now());
  await services.table.createBatch({ ...at, status: 'imported', total: 1 });
};

/** The row of the sign-in, ready to be taken up. */
const rowOf = async (services: Services, verification_id: string): Promise<Bot | undefined> => {
  const enrolment = { kind: 'sign_in', verification_id } as const;
  const bot_id = enrolmentId(enrolment, '', 0);
  const known = await services.table.readBot(bot_id);
  if (known && allows('requeue', known.state)) return moveBot(services, known, 'requeue', { step });
  if (known) return known;
  // The batch of a sign-in has the id of its row.
  await makeBatch(services, bot_id);
  return upsertBot(
    services,
    step,
    { bot_id, batch_id: bot_id, line: 1, row_digest: 'sign_in', enrolment },
    true,
  );
};

const signedIn = (row: Bot, { account, person }: SignInResult): HttpAnswer => ({
  status: 201,
  headers: { location: `/bots/${account.user_id}` },
  body: {
    user_id: account.user_id,
    session_id: account.session_id,
    batch_id: row.batch_id,
    state: 'queued',
    account: person,
  },
});

const keepSession = async (services: Services, bot_id: string, kind: ListedSignIn['session_key']) => {
  const stored = await services.vault.storeEnrolment(bot_id, {
    session_key: await newSessionKey(services, kind),
  });
  if (stored === 'pending_deletion') return undefined;
  return isRsaKey(stored.stored.session_key) ? 'rsa' : 'ed25519';
};

const otherKey = () =>
  conflict(
    'session_key_kept',
    'A session key of the other kind is kept for this code already.',
    'Send the same session_key as before, or ask for a new code.',
  );

const makeSignIn = async (
  services: Services,
  verification_id: string,
  request: SignInRequest,
  kind: ListedSignIn['session_key'],
): Promise<HttpAnswer> => {
  const row = await rowOf(services, verification_id);
  if (!row) return busy();
  const refused = refuseState(row);
  if (refused) return refused;
  const kept = await keepSession(services, row.bot_id, kind);
  if (kept !== undefined && kept !== kind) return otherKey();
  const deadlineMs = services.now() + 1_000 * (functions.accounts.timeoutSeconds - SPARE_SECONDS);
  const made = await enrollRow(services, row, deadlineMs, request);
  if (made) return signedIn(row, made);
  const after = await services.table.readBot(row.bot_id);
  return after?.reason ? problemOf(after.reason, after.state === 'unsure' ? 504 : 409) : busy();
};

const signIn = async (services: Services, request: HttpRequest): Promise<HttpAnswer> => {
  const id = z.guid().safeParse(request.path.verification_id?.toLowerCase());
  if (!id.success) {
    return problem(
      404,
      'no_such_verification',
      'The path names no verification.',
      'Use its verification_id.',
    );
  }
  const fields = readFields(request);
  if (!fields) return notAnObject();
  const { abort_deactivation, ...said } = fields;
  const read = readSignIn(said);
  if ('errors' in read) return badField(read.errors[0] as FieldError);
  const known = await services.table.readVerification(id.data);
  const at = known?.deactivation_effective_at;
  if (at !== undefined && abort_deactivation !== true) return deactivationPending(at);
  const whole = await withDevice(services, id.data, read.value);
  return makeSignIn(services, id.data, whole, read.value.session_key);
};

export const accounts: Answers<'accounts'> = {
  requestCode: (services, request) => orProblem(requestCode(services, request)),
  signIn: (services, request) => orProblem(signIn(services, request)),
};

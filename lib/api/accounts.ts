/**
 * accounts: signs one account in with a code, while the operator waits. Codes are valid for a short time, so nothing
 * is queued: the answer says what happened. A code is requested for one phone at a time, never from a list.
 */
import { buildBatch } from '../batches/batch.ts';
import { enrollRow } from '../bots/enroll.ts';
import { deriveEnrolmentId } from '../bots/enrolment.ts';
import { buildSignInRequest, generateSessionKey } from '../bots/sign-in.ts';
import { moveBot } from '../bots/transition.ts';
import { upsertBot } from '../bots/upsert.ts';
import { readSignIn } from '../lists/row-enrolment.ts';
import type { Bot } from '../model/bot.ts';
import { functions } from '../model/deployment.ts';
import type { SessionKind, SignInRequest } from '../model/enrolment.ts';
import { isRsaKey } from '../model/keystore.ts';
import { MixinError } from '../model/mixin-error.ts';
import type { Services, SignInResult } from '../model/ports.ts';
import { fail, type Result, succeed } from '../model/result.ts';
import { allows } from '../model/states.ts';
import type { RouteRequest } from './contract.ts';
import { createAnswers, type Reply } from './http.ts';
import { answerProblem, answerWith, type ProblemAnswer } from './problems.ts';

const step = 'accounts';
/** Left of the function's time for its answer. */
const SPARE_SECONDS = 3;

const chooseStatus = ({ verdict, code }: MixinError): number => {
  if (code === 'rate_limited' || code === 'sms_too_often') return 429;
  if (verdict === 'never') return 422;
  if (verdict === 'again') return 503;
  return code === 'no_answer' ? 504 : 502;
};

/** What Mixin refused, or did not answer. */
export const answerMixinError = (error: MixinError): ProblemAnswer => {
  const { verdict, request_id, captcha } = error;
  return answerWith(chooseStatus(error), error, {
    verdict,
    ...(request_id !== undefined && { request_id }),
    ...(captcha !== undefined && { captcha }),
  });
};

/** The same work, with a problem where Mixin refused. */
const catchMixinError = async <T>(work: Promise<T>): Promise<T | ProblemAnswer> => {
  try {
    return await work;
  } catch (error) {
    if (error instanceof MixinError) return answerMixinError(error);
    throw error;
  }
};

const requestCode = async (
  services: Services,
  { body }: RouteRequest<'requestCode'>,
): Promise<Reply<'requestCode'>> => {
  const { phone, purpose, platform, platform_version, app_version, package_name, ...others } = body;
  const { device_id = services.randomId(), ...captcha } = others;
  const { request_id, ...verification } = await services.accounts.requestCode({
    phone,
    purpose,
    device_id,
    platform,
    platform_version,
    app_version,
    package_name,
    captcha,
  });
  const { verification_id, deactivation_effective_at } = verification;
  await services.table.createVerification({
    verification_id,
    device_id,
    ...(deactivation_effective_at !== undefined && { deactivation_effective_at }),
  });
  services.log('info', 'code_requested', { request_id });
  return { body: { ...verification, device_id } };
};

/** Why the sign-in must not be tried now; undefined when it may. */
const findObstacle = ({ state, reason, account }: Bot): ProblemAnswer | undefined => {
  if (state === 'enrolled')
    return answerProblem('signed_in_already', account && { user_id: account.user_id });
  return state === 'unsure' && reason ? answerWith(409, reason) : undefined;
};

/** The row of the sign-in, queued; undefined when another request works on it. It has a batch of its own. */
const upsertRow = async (services: Services, verification_id: string): Promise<Bot | undefined> => {
  const enrolment = { kind: 'sign_in', verification_id } as const;
  const bot_id = deriveEnrolmentId(enrolment, '', 0);
  const known = await services.table.readBot(bot_id);
  if (known && allows('requeue', known.state)) return moveBot(services, known, 'requeue', { step });
  if (known) return known;
  // The batch of a sign-in has the id of its row.
  const batch = buildBatch(bot_id, services.now());
  await services.table.createBatch({ ...batch, status: 'imported', total: 1 });
  return upsertBot(
    services,
    step,
    { bot_id, batch_id: bot_id, line: 1, row_digest: 'sign_in', enrolment },
    true,
  );
};

const showSession = ({ batch_id }: Bot, { account, person }: SignInResult): Reply<'signIn'> => ({
  body: {
    bot_id: account.user_id,
    user_id: account.user_id,
    session_id: account.session_id,
    batch_id,
    state: 'enrolling',
    account: person,
  },
});

/** Stores a session key for the sign-in, unless one is stored already. Fails when that is of the other kind. */
const storeSessionKey = async (
  services: Services,
  bot_id: string,
  kind: SessionKind,
): Promise<Result<'stored' | 'pending_deletion', ProblemAnswer>> => {
  const stored = await services.vault.storeEnrolment(bot_id, {
    session_key: await generateSessionKey(services, kind),
  });
  if (stored === 'pending_deletion') return succeed(stored);
  const isSameKind = isRsaKey(stored.stored.session_key) === (kind === 'rsa');
  return isSameKind ? succeed('stored') : fail(answerProblem('session_key_exists'));
};

const signInAccount = async (
  services: Services,
  verification_id: string,
  request: SignInRequest,
  kind: SessionKind,
): Promise<Reply<'signIn'>> => {
  const row = await upsertRow(services, verification_id);
  if (!row) return answerProblem('sign_in_busy');
  const obstacle = findObstacle(row);
  if (obstacle) return obstacle;
  const stored = await storeSessionKey(services, row.bot_id, kind);
  if (!stored.ok) return stored.error;
  const deadlineMs = services.now() + 1_000 * (functions.accounts.timeoutSeconds - SPARE_SECONDS);
  const result = await enrollRow(services, row, deadlineMs, request);
  if (result) return showSession(row, result);
  const after = await services.table.readBot(row.bot_id);
  return after?.reason
    ? answerWith(after.state === 'unsure' ? 504 : 409, after.reason)
    : answerProblem('sign_in_busy');
};

const signIn = async (
  services: Services,
  { parameters: { verification_id }, body }: RouteRequest<'signIn'>,
): Promise<Reply<'signIn'>> => {
  const { abort_deactivation, ...fields } = body;
  const read = readSignIn(fields);
  if (!read.ok) {
    const { field = '(body)', message, fix } = read.error[0] ?? {};
    return answerProblem('bad_body', { message: `${field}: ${message}`, fix, field });
  }
  const known = await services.table.readVerification(verification_id);
  const deactivation_effective_at = known?.deactivation_effective_at;
  if (deactivation_effective_at !== undefined && abort_deactivation !== true)
    return answerProblem('deactivation_pending', { deactivation_effective_at });
  const request = await buildSignInRequest(services, verification_id, read.value);
  return signInAccount(services, verification_id, request, read.value.session_key);
};

export const accounts = createAnswers<'accounts'>({
  requestCode: (services, request) => catchMixinError(requestCode(services, request)),
  signIn: (services, request) => catchMixinError(signIn(services, request)),
});

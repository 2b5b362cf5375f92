/** sign-in: signs an account in by the code that Mixin sends to its phone. */

import type { NewSessionView, VerificationView } from '../../lib/api/contract.ts';
import { type ApiClient, ApiError, UnknownOutcome } from '../api-client.ts';
import { noArguments } from '../arguments.ts';
import type { Call, Command } from '../command.ts';
import { exitCodes, Refusal, UsageError } from '../failure.ts';
import { printable, shortTime } from '../output.ts';
import { openPrompt, type Prompt } from '../prompt.ts';
import { phoneOf, readSignInWish, type SignInWish, signInOptions } from '../sign-in-options.ts';

/** The command that goes on with a code; a session key of another kind would be refused. */
const goOn = (verification_id: string, { session_key }: SignInWish): string => {
  const kind = session_key === undefined ? '' : ` --session-key ${session_key}`;
  return `Go on:  enlist sign-in --verification ${verification_id}${kind}`;
};

const captchaAnswers: Readonly<Record<string, string>> = {
  recaptcha: 'g_recaptcha_response',
  hcaptcha: 'hcaptcha_response',
  geetest: 'gt4_lot_number, gt4_captcha_output, gt4_pass_token, gt4_gen_time',
};

const captchaHint = (kind: string | undefined): string => {
  const fields = captchaAnswers[kind ?? ''] ?? 'its fields';
  return `Kind of captcha: ${kind ?? 'not told'}. Enlist solves none: let a person solve it, and give ${fields} with --captcha-file FILE.`;
};

/** What Mixin said when a code was asked for, and what to do about it here. */
const codeRefusal = (error: unknown): unknown => {
  const isCaptcha =
    error instanceof ApiError && (error.code === 'captcha_required' || error.code === 'captcha_wrong');
  return isCaptcha ? new Refusal(`${error.message} ${captchaHint(error.problem.captcha)}`) : error;
};

/** Nothing stands against giving a code once more: Enlist sends it to Mixin once, whatever is asked of the API. */
const isPassing = (error: unknown): boolean =>
  error instanceof UnknownOutcome ||
  (error instanceof ApiError &&
    (error.code === 'sms_code_wrong' || error.code === 'sign_in_busy' || [429, 503].includes(error.status)));

/** What was said to a sign-in, and how to go on. */
const signInRefusal = (error: unknown, command: string): unknown => {
  if (!(error instanceof Refusal)) return error;
  if (isPassing(error)) return new Refusal(`${error.message}\n${command}`);
  if (!(error instanceof ApiError)) return error;
  if (error.code === 'deactivation_pending')
    return new Refusal(`${error.message}\n${command} --abort-deactivation`);
  const { code, message, problem } = error;
  if (code === 'signed_in_already' && problem.user_id !== undefined)
    return new Refusal(`${message}\nLook at it:  enlist show ${problem.user_id}`);
  return error;
};

const readPhone = async (wish: SignInWish, prompt: Prompt): Promise<string> => {
  if (wish.phone !== undefined) return wish.phone;
  const text = await prompt.ask('Phone number, with +COUNTRY: ');
  if (!text) throw new UsageError('No phone number was given.');
  return phoneOf(text);
};

/** Digits only, or undefined when none come. In a terminal a slip is asked for again. */
const readCode = async (prompt: Prompt, command: string): Promise<string | undefined> => {
  for (;;) {
    const text = await prompt.askHidden('Code (it is not shown): ');
    if (!text && !prompt.isTerminal) return undefined;
    if (text === undefined) return undefined;
    const code = text.replace(/[\s-]/g, '');
    if (/^\d{3,12}$/.test(code)) return code;
    if (!prompt.isTerminal) throw new Refusal(`A code has digits only, so it was not sent.\n${command}`);
  }
};

const requestCode = async (call: Call, api: ApiClient, wish: SignInWish, prompt: Prompt) => {
  const phone = await readPhone(wish, prompt);
  const asked = await api.requestCode({ phone, ...wish.codeFields }).catch((error: unknown) => {
    throw codeRefusal(error);
  });
  call.output.note(`Mixin sent a code to the phone. Verification ${asked.verification_id}`);
  if (asked.has_emergency_contact) call.output.note('The account has an emergency contact.');
  return asked;
};

/** Signing in calls a deletion off, so somebody must want that. */
const stopAtDeactivation = ({ output }: Call, asked: VerificationView, wish: SignInWish) => {
  const { deactivation_effective_at: at, verification_id } = asked;
  if (at === undefined || wish.isAbortingDeactivation) return;
  output.json(asked);
  throw new Refusal(
    `The account is to be deleted on ${shortTime(at)} UTC, and signing in calls that off. If that is meant:\n${goOn(verification_id, wish)} --abort-deactivation`,
  );
};

const textOf = (value: unknown, otherwise: string) =>
  typeof value === 'string' && value !== '' ? printable(value) : otherwise;

const tell = ({ output }: Call, answer: NewSessionView) => {
  const { user_id, batch_id, state, account } = answer;
  const name = textOf(account.full_name, 'an account');
  const number = textOf(account.identity_number, 'no identity number was told');
  output.json(answer);
  output.line(`Signed in: ${name} (${number}), user ${user_id}`);
  output.line(`It goes into Safe as batch ${batch_id}: ${state}`);
  output.line(`Follow it:  enlist watch ${batch_id}`);
};

const run = async (call: Call): Promise<number> => {
  noArguments(call);
  const wish = await readSignInWish(call);
  const api = await call.api();
  using prompt = openPrompt(call.terminal.stdin, call.terminal.stderr, call.signal);
  const asked = wish.verification_id === undefined ? await requestCode(call, api, wish, prompt) : undefined;
  if (asked) stopAtDeactivation(call, asked, wish);
  const verification_id = wish.verification_id ?? asked?.verification_id ?? '';
  const command = goOn(verification_id, wish);
  const code = await readCode(prompt, command);
  if (code === undefined) {
    call.output.json(asked ?? { verification_id });
    call.output.line(`No code was given. ${command}`);
    return exitCodes.open;
  }
  const device = asked && { device_id: asked.device_id };
  const fields = { ...device, ...wish.signInFields, code };
  const answer = await api.signIn(verification_id, fields).catch((error: unknown) => {
    throw signInRefusal(error, command);
  });
  tell(call, answer);
  return exitCodes.done;
};

export const signIn: Command = {
  usage: 'sign-in',
  summary: 'Signs an account in by the code that Mixin sends to its phone, and brings it into Safe.',
  details: [
    'Asks for the phone number and then for the code. Both may be piped in, a line each: phone, code; with --phone',
    'or --verification the code alone. The code is never an option, for others can read those.',
    'Of several tries with one code the session key must be of one kind.',
    'Where no code comes it ends, and --verification goes on with it. Nothing is asked of Mixin twice by itself.',
    'A captcha is told with its kind and never solved. An account that is to be deleted is left alone without',
    '--abort-deactivation.',
    '--json prints {"bot_id", "user_id", "session_id", "batch_id", "state", "account"}; without a code {"verification_id", …}.',
  ],
  options: signInOptions,
  run,
};

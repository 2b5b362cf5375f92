/** sign-in: signs an account in with the code that Mixin sends to its phone. */
import type { Command } from 'commander';
import type { NewSessionView, VerificationView } from '../../lib/api/contract.ts';
import { type ApiClient, ApiError, UnknownOutcomeError } from '../api-client.ts';
import type { Context, Run } from '../context.ts';
import { RequestError, UsageError } from '../errors.ts';
import { exitCodes } from '../exit-codes.ts';
import type { FormatCommand } from '../hint.ts';
import { formatExamples, joinParagraphs } from '../options.ts';
import { escapeControls, formatTime, type Output } from '../output.ts';
import { openPrompt, type Prompt } from '../prompt.ts';
import {
  addSignInOptions,
  captchaFields,
  parsePhone,
  readSignInFields,
  type SignInFields,
  type SignInOptions,
} from '../sign-in-fields.ts';

/** Writes the command that continues with a code. A session key of another kind would be refused. */
const createContinueFormat =
  ({ formatCommand }: Context, verification_id: string, { sessionKey }: SignInOptions) =>
  (...words: readonly string[]): string => {
    const kind = sessionKey === undefined ? [] : ['--session-key', sessionKey];
    return `Continue:  ${formatCommand('sign-in', '--verification', verification_id, ...kind, ...words)}`;
  };
type FormatContinue = ReturnType<typeof createContinueFormat>;

const explainCaptcha = (kind: string | undefined): string => {
  const fields = captchaFields[kind ?? '']?.join(', ') ?? 'its fields';
  return `Kind of captcha: ${kind ?? 'unknown'}. Enlist does not solve captchas: a person must, and then give ${fields} with --captcha-file FILE.`;
};

/** Adds what to do when Mixin refuses to send a code. */
const explainCodeRefusal = (error: unknown): unknown => {
  const isCaptcha =
    error instanceof ApiError && (error.code === 'captcha_required' || error.code === 'captcha_wrong');
  return isCaptcha ? new RequestError(`${error.message} ${explainCaptcha(error.problem.captcha)}`) : error;
};

/** The code may be given again: Enlist sends it to Mixin once, however often the API is asked. */
const canRepeat = (error: RequestError): boolean =>
  error instanceof UnknownOutcomeError ||
  (error instanceof ApiError &&
    (error.code === 'sms_code_wrong' || error.code === 'sign_in_busy' || [429, 503].includes(error.status)));

/** Adds how to continue when a sign-in fails. */
const explainSignInRefusal = (
  error: unknown,
  formatContinue: FormatContinue,
  formatCommand: FormatCommand,
): unknown => {
  if (!(error instanceof RequestError)) return error;
  if (canRepeat(error)) return new RequestError(`${error.message}\n${formatContinue()}`);
  if (!(error instanceof ApiError)) return error;
  const { code, message, problem } = error;
  if (code === 'deactivation_pending')
    return new RequestError(`${message}\n${formatContinue('--abort-deactivation')}`);
  if (code === 'signed_in_already' && problem.user_id !== undefined)
    return new RequestError(`${message}\nSee it:  ${formatCommand('show', problem.user_id)}`);
  return error;
};

const askForPhone = async (prompt: Prompt): Promise<string> => {
  const text = await prompt.ask('Phone number, with + and country code: ');
  if (!text) throw new UsageError('No phone number was given.');
  return parsePhone(text);
};

/** Returns digits, or undefined when no code is given. In a terminal a mistyped code is asked for again. */
const askForCode = async (prompt: Prompt, formatContinue: FormatContinue): Promise<string | undefined> => {
  for (;;) {
    const text = await prompt.askHidden('Code (hidden while you type): ');
    if (text === undefined || (text === '' && !prompt.isTerminal)) return undefined;
    const code = text.replace(/[\s-]/g, '');
    if (/^\d{3,12}$/.test(code)) return code;
    if (!prompt.isTerminal)
      throw new RequestError(`A code has only digits, so this one was not sent.\n${formatContinue()}`);
  }
};

const requestCode = async (
  { output }: Context,
  api: ApiClient,
  phone: string,
  { forCode }: SignInFields,
): Promise<VerificationView> => {
  const verification = await api.requestCode({ phone, ...forCode }).catch((error: unknown) => {
    throw explainCodeRefusal(error);
  });
  output.writeNote(`Mixin sent a code to the phone. Verification ${verification.verification_id}`);
  if (verification.has_emergency_contact) output.writeNote('The account has an emergency contact.');
  return verification;
};

/** A sign-in cancels the deletion of an account, so the operator must ask for that. */
const stopBeforeDeletion = (
  output: Output,
  verification: VerificationView,
  formatContinue: FormatContinue,
) => {
  const { deactivation_effective_at: at } = verification;
  if (at === undefined) return;
  output.writeJson(verification);
  throw new RequestError(
    `The account will be deleted on ${formatTime(at)} UTC, and signing in cancels that. If you want this:\n${formatContinue('--abort-deactivation')}`,
  );
};

const formatText = (value: unknown, fallback: string) =>
  typeof value === 'string' && value !== '' ? escapeControls(value) : fallback;

const showSignedIn = ({ formatCommand, output }: Context, answer: NewSessionView) => {
  const { user_id, batch_id, state, account } = answer;
  const name = formatText(account.full_name, 'an account');
  const number = formatText(account.identity_number, 'no identity number');
  output.writeJson(answer);
  output.writeLine(`Signed in: ${name} (${number}), user ${user_id}`);
  output.writeLine(`It will be registered with Safe, as batch ${batch_id}: ${state}`);
  output.writeLine(`Follow it:  ${formatCommand('watch', batch_id)}`);
};

const signIn = async (context: Context, options: SignInOptions): Promise<number> => {
  const { formatCommand, output, terminal, signal } = context;
  const { verification: earlierId, phone } = options;
  const fields = await readSignInFields(options);
  const api = await context.connect();
  using prompt = openPrompt(terminal.stdin, terminal.stderr, signal);
  const verification =
    earlierId === undefined
      ? await requestCode(context, api, phone ?? (await askForPhone(prompt)), fields)
      : undefined;
  const verification_id = earlierId ?? verification?.verification_id ?? '';
  const formatContinue = createContinueFormat(context, verification_id, options);
  if (verification && !options.abortDeactivation) stopBeforeDeletion(output, verification, formatContinue);
  const code = await askForCode(prompt, formatContinue);
  if (code === undefined) {
    output.writeJson(verification ?? { verification_id });
    output.writeLine(`No code was given. ${formatContinue()}`);
    return exitCodes.unfinished;
  }
  const device = verification && { device_id: verification.device_id };
  // guard: output-has-no-code
  const answer = await api
    .signIn(verification_id, { ...device, ...fields.forSignIn, code })
    .catch((error: unknown) => {
      throw explainSignInRefusal(error, formatContinue, formatCommand);
    });
  showSignedIn(context, answer);
  return exitCodes.done;
};

export const addSignIn = (program: Command, run: Run): void => {
  const command = program
    .command('sign-in')
    .summary('Signs an account in by phone, and registers it.')
    .description(
      joinParagraphs(
        'Signs an account in with the code that Mixin sends to its phone, and registers it with Safe. This may end the sessions of the account on other devices. Enlist creates the private key of the session and stores it in its vault.',
        'You are asked for the phone number and then for the code. Both can be piped in, one per line; with --phone or --verification only the code. The code is never an option, because other users of the machine can read options. They can also read --phone.',
        'When no code is given, the command ends, and --verification continues with it later. No request is sent to Mixin twice. If an answer is lost, the same command with --verification shows what happened. Keep the same --session-key for all attempts with one code.',
        'Enlist does not solve captchas. It shows which kind Mixin wants, and takes the solution of a person with --captcha-file. It does not sign in to an account that will be deleted, because this would cancel the deletion, unless you give --abort-deactivation.',
        '--json prints {"bot_id", "user_id", "session_id", "batch_id", "state", "account"}; without a code {"verification_id", …}.',
      ),
    );
  addSignInOptions(command)
    .addHelpText(
      'after',
      formatExamples(
        'enlist sign-in',
        'enlist sign-in --phone +447700900123 < /dev/null',
        'read-the-sms | enlist sign-in --verification ID',
      ),
    )
    .action(run(signIn));
};

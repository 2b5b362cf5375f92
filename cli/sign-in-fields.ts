/** The options of sign-in, and the fields of its two requests that they become. */
import { type Command, Option } from 'commander';
import { maxRegistrationId, platforms, sessionKinds } from '../lib/model/enrolment.ts';
import { mixin } from '../lib/model/mixin.ts';
import type { Fields } from './api-client.ts';
import { UsageError } from './errors.ts';
import { parseJson, readText } from './files.ts';
import { parseId, parseWholeNumber } from './options.ts';

const { device } = mixin;

/** The fields that answer each kind of captcha, under Mixin's names. */
export const captchaFields: Readonly<Record<string, readonly string[]>> = {
  recaptcha: ['g_recaptcha_response'],
  hcaptcha: ['hcaptcha_response'],
  geetest: ['gt4_lot_number', 'gt4_captcha_output', 'gt4_pass_token', 'gt4_gen_time'],
};

/** Any common way to write a phone number → E.164. Throws UsageError, which does not repeat the number. */
export const parsePhone = (text: string): string => {
  const phone = text.replace(/[\s().-]/g, '');
  if (/^\+[1-9]\d{6,14}$/.test(phone)) return phone;
  throw new UsageError('A phone number must begin with + and the country code, and have only digits.');
};

export interface SignInOptions {
  readonly phone?: string;
  readonly verification?: string;
  readonly sessionKey?: string;
  readonly abortDeactivation?: true;
  readonly captchaFile?: string;
  readonly notificationTokenFile?: string;
  readonly registrationId?: number;
  readonly platform?: string;
  readonly platformVersion?: string;
  readonly appVersion?: string;
  readonly packageName?: string;
  readonly deviceId?: string;
}

export const addSignInOptions = (command: Command): Command =>
  command
    .option('--phone <NUMBER>', 'phone number with + and country code; without it you are asked', parsePhone)
    .addOption(
      new Option(
        '--verification <ID>',
        'continue with the code that was requested before; sign-in printed the ID',
      )
        .argParser(parseId('--verification', 'the id that sign-in printed'))
        .conflicts(['phone', 'captchaFile']),
    )
    .addOption(
      new Option('--session-key <KIND>', 'kind of session key (default: ed25519)').choices(sessionKinds),
    )
    .option('--abort-deactivation', 'sign in even if this cancels the deletion of the account')
    .option('--captcha-file <FILE>', 'a file with the solution of a captcha: a JSON object of its fields')
    .option(
      '--notification-token-file <FILE>',
      'a file with the token for push notifications, and nothing else',
    )
    .option(
      '--registration-id <N>',
      'registration id of the Signal protocol (default: a new one)',
      parseWholeNumber('--registration-id', 1, maxRegistrationId),
    )
    .addOption(
      new Option('--platform <NAME>', `platform of the session (default: ${device.platform})`).choices(
        platforms,
      ),
    )
    .option('--platform-version <TEXT>', `version of the platform (default: ${device.platform_version})`)
    .option('--app-version <TEXT>', `version of the app (default: ${device.app_version})`)
    .option('--package-name <TEXT>', `package name of the app (default: ${device.package_name})`)
    .option(
      '--device-id <UUID>',
      'id of the device (default: a new one)',
      parseId('--device-id', 'uuidgen makes one'),
    );

const readCaptcha = async (file: string): Promise<Fields> => {
  const names = Object.values(captchaFields).flat();
  const solution = parseJson(await readText(file));
  const fields = typeof solution === 'object' && solution !== null ? Object.entries(solution) : [];
  const isValid = ([name, value]: [string, unknown]) => names.includes(name) && typeof value === 'string';
  if (fields.length > 0 && fields.every(isValid)) return Object.fromEntries(fields);
  throw new UsageError(`${file} must have a JSON object of strings in it: ${names.join(', ')}.`);
};

/** Leaves out the fields that were not given. */
const omitUndefined = (fields: Fields): Fields =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));

export interface SignInFields {
  /** For requesting a code, besides the phone. */
  readonly forCode: Fields;
  /** For signing in, besides the code. */
  readonly forSignIn: Fields;
}

/** Reads the files that the options name. Throws UsageError. */
export const readSignInFields = async (options: SignInOptions): Promise<SignInFields> => {
  const { captchaFile, notificationTokenFile: tokenFile } = options;
  const captcha = captchaFile === undefined ? {} : await readCaptcha(captchaFile);
  const deviceFields = omitUndefined({
    platform: options.platform,
    platform_version: options.platformVersion,
    app_version: options.appVersion,
    package_name: options.packageName,
    device_id: options.deviceId,
  });
  const signInFields = omitUndefined({
    session_key: options.sessionKey,
    notification_token: tokenFile === undefined ? undefined : await readText(tokenFile),
    registration_id: options.registrationId,
    abort_deactivation: options.abortDeactivation,
  });
  return {
    forCode: { ...deviceFields, ...captcha },
    forSignIn: { ...deviceFields, ...signInFields },
  };
};

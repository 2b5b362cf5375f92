/** The options of sign-in, as the fields of its requests. */

import { maxRegistrationId, platforms, sessionKinds } from '../lib/model/enrolment.ts';
import { mixin } from '../lib/model/mixin.ts';
import type { Fields } from './api-client.ts';
import { mustBeOneOf, optionOf, uuidOption, wholeOption } from './arguments.ts';
import type { Call, Options } from './command.ts';
import { UsageError } from './failure.ts';
import { readText } from './files.ts';

const { device } = mixin;
const captchaFields: readonly string[] = [
  'g_recaptcha_response',
  'hcaptcha_response',
  'gt4_lot_number',
  'gt4_captcha_output',
  'gt4_pass_token',
  'gt4_gen_time',
];

export const signInOptions = {
  phone: {
    type: 'string',
    value: 'NUMBER',
    help: 'phone number, +COUNTRY and the rest; without it, it is asked for',
  },
  verification: {
    type: 'string',
    value: 'ID',
    help: 'go on with the code that was asked for before; ID as sign-in printed it',
  },
  'session-key': {
    type: 'string',
    value: 'KIND',
    help: `of the new session: ${sessionKinds.join(' or ')} (default: ed25519)`,
  },
  'abort-deactivation': {
    type: 'boolean',
    help: 'sign in although that calls off the deletion of the account',
  },
  'captcha-file': {
    type: 'string',
    value: 'FILE',
    help: 'what a person got for a captcha: a JSON object of its fields',
  },
  'notification-token-file': {
    type: 'string',
    value: 'FILE',
    help: 'holds the token for push notifications, and nothing else',
  },
  'registration-id': {
    type: 'string',
    value: 'N',
    help: 'registration id of the Signal protocol (default: one of its own)',
  },
  platform: {
    type: 'string',
    value: 'NAME',
    help: `what the session runs on: ${platforms.join(' or ')} (default: ${device.platform})`,
  },
  'platform-version': {
    type: 'string',
    value: 'TEXT',
    help: `version of the platform (default: ${device.platform_version})`,
  },
  'app-version': {
    type: 'string',
    value: 'TEXT',
    help: `version of the app (default: ${device.app_version})`,
  },
  'package-name': {
    type: 'string',
    value: 'TEXT',
    help: `package name of the app (default: ${device.package_name})`,
  },
  'device-id': { type: 'string', value: 'UUID', help: 'id of the device (default: a new one)' },
} as const satisfies Options;

/** Without the fields that nobody gave. */
const given = (fields: Fields): Fields =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));

const deviceOf = (call: Call): Fields =>
  given({
    platform: optionOf(call, 'platform', (text) => mustBeOneOf('--platform', platforms, text)),
    platform_version: call.text('platform-version'),
    app_version: call.text('app-version'),
    package_name: call.text('package-name'),
    device_id: uuidOption(call, 'device-id', 'such as uuidgen makes'),
  });

const parseJson = (text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
};

/** The answers to a captcha, under the names Mixin gives them. */
const readCaptcha = async (file: string): Promise<Fields> => {
  const answers = parseJson(await readText(file));
  const pairs = typeof answers === 'object' && answers !== null ? Object.entries(answers) : [];
  const isRight = ([name, value]: [string, unknown]) =>
    captchaFields.includes(name) && typeof value === 'string';
  if (pairs.length > 0 && pairs.every(isRight)) return Object.fromEntries(pairs);
  throw new UsageError(`${file} must hold a JSON object of strings: ${captchaFields.join(', ')}.`);
};

/** E.164, however it was spaced. Throws UsageError, which does not repeat it. */
export const phoneOf = (text: string): string => {
  const phone = text.replace(/[\s().-]/g, '');
  if (/^\+[1-9]\d{6,14}$/.test(phone)) return phone;
  throw new UsageError('A phone number begins with + and the country, and has digits only.');
};

export interface SignInWish {
  readonly phone: string | undefined;
  readonly verification_id: string | undefined;
  readonly isAbortingDeactivation: boolean;
  /** The kind that was asked for, for a second try must ask for the same. */
  readonly session_key: string | undefined;
  /** For asking for a code, beside the phone. */
  readonly codeFields: Fields;
  /** For signing in, beside the code. */
  readonly signInFields: Fields;
}

/** Reads all options and the files they name. Throws UsageError. */
export const readSignInWish = async (call: Call): Promise<SignInWish> => {
  const verification_id = uuidOption(call, 'verification', 'the id that sign-in printed');
  const phone = optionOf(call, 'phone', phoneOf);
  const captcha = await optionOf(call, 'captcha-file', readCaptcha);
  if (verification_id !== undefined && (phone !== undefined || captcha !== undefined))
    throw new UsageError('--phone and --captcha-file ask for a code; --verification goes on with one.');
  const fields = deviceOf(call);
  const isAbortingDeactivation = call.flag('abort-deactivation');
  const session_key = optionOf(call, 'session-key', (text) =>
    mustBeOneOf('--session-key', sessionKinds, text),
  );
  const signInFields = given({
    ...fields,
    session_key,
    notification_token: await optionOf(call, 'notification-token-file', readText),
    registration_id: wholeOption(call, 'registration-id', 1, maxRegistrationId),
    ...(isAbortingDeactivation && { abort_deactivation: true }),
  });
  return {
    phone,
    verification_id,
    isAbortingDeactivation,
    session_key,
    codeFields: { ...fields, ...captcha },
    signInFields,
  };
};

/** Rows of accounts that do not exist yet: a sign-in with a code, or a user that a bot creates. Pure. */

import {
  maxRegistrationId,
  type NetworkUserEnrolment,
  platforms,
  type SessionKind,
  type SignInEnrolment,
  type SignInFields,
  sessionKinds,
} from '../model/enrolment.ts';
import { mixin } from '../model/mixin.ts';
import { fail, type Result, succeed } from '../model/result.ts';
import {
  createMissingError,
  type FieldError,
  type Fields,
  readUuid,
  readValue,
  refuseValue,
  toDigits,
  toText,
} from './row-fields.ts';

const findIgnoringCase = <T extends string>(values: readonly T[], value: unknown): T | undefined =>
  values.find((one) => one.toLowerCase() === toText(value).toLowerCase());

const readCode = (value: unknown): Result<string> =>
  /^\d{4,8}$/.test(toDigits(value))
    ? succeed(toDigits(value))
    : refuseValue(
        // guard: row-error-quotes-no-code
        'It is not a code of four to eight digits.',
        'Give the code as Mixin sent it, as text: a spreadsheet removes leading zeros.',
      );

const readSessionKind = (value: unknown): Result<SessionKind> => {
  const kind = findIgnoringCase(sessionKinds, value);
  if (kind) return succeed(kind);
  return refuseValue('It is not a kind of session key.', 'Write ed25519 or rsa, or leave it out.');
};

/** The page of 2018 spells the second one "Andoird". */
const readPlatform = (value: unknown): Result<SignInFields['platform']> => {
  const platform = findIgnoringCase(platforms, value);
  if (platform) return succeed(platform);
  return refuseValue(
    'It is not a platform that Mixin knows.',
    'Write iOS or Android; an old page of Mixin misspells the second.',
  );
};

const readPurpose = (value: unknown): Result<'SESSION'> => {
  if (toText(value).toUpperCase() === 'SESSION') return succeed('SESSION');
  return refuseValue(
    'Enlist signs in for one purpose only.',
    'Request a code with the purpose SESSION, and write SESSION or leave it out.',
  );
};

const readVersion = (value: unknown): Result<string> => {
  const version = toText(value);
  if (/^[0-9A-Za-z][0-9A-Za-z ._+()-]{0,63}$/.test(version)) return succeed(version);
  return refuseValue('It is not a version.', 'Write it as text, such as "11.0", or leave it out.');
};

const readPackage = (value: unknown): Result<string> => {
  const name = toText(value);
  if (name.length <= 128 && /^[A-Za-z][\w-]*(\.[\w-]+)+$/.test(name)) return succeed(name);
  return refuseValue(
    'It is not the name of a package.',
    `Write it as ${mixin.device.package_name}, or leave it out.`,
  );
};

const readToken = (value: unknown): Result<string> => {
  const token = toText(value);
  if (/^[!-~]{1,4096}$/.test(token)) return succeed(token);
  return refuseValue(
    'It is not a token for push notifications.',
    'Give the token of APNS or FCM as text, or leave it out.',
  );
};

const readRegistrationId = (value: unknown): Result<number> => {
  const digits = toDigits(value);
  const id = /^\d{1,10}$/.test(digits) ? Number(digits) : 0;
  if (id >= 1 && id <= maxRegistrationId) return succeed(id);
  return refuseValue(
    'It is not a registration id.',
    `Give a whole number from 1 to ${maxRegistrationId}, or leave it out.`,
  );
};

/** Every field of a sign-in beside its verification. */
export const signInFields = {
  code: readCode,
  session_key: readSessionKind,
  device_id: readUuid,
  platform: readPlatform,
  platform_version: readVersion,
  app_version: readVersion,
  package_name: readPackage,
  notification_token: readToken,
  purpose: readPurpose,
  registration_id: readRegistrationId,
} as const satisfies {
  readonly [F in keyof SignInFields]-?: (value: unknown) => Result<NonNullable<SignInFields[F]>>;
};

const defaults = { session_key: 'ed25519', purpose: 'SESSION', ...mixin.device } as const;

/**
 * Reads the fields of a sign-in, in a row or a request, or names everything that is wrong with them. What is left out
 * is as `mixin.device` (lib/model/mixin.ts) says. Other fields are ignored.
 */
export const readSignIn = (fields: Fields): Result<SignInFields, readonly FieldError[]> => {
  const values: Record<string, unknown> = { ...defaults };
  const errors: FieldError[] = [];
  for (const [field, readField] of Object.entries(signInFields)) {
    const value = readValue(fields, field);
    if (value === undefined) continue;
    const result = readField(value);
    if (result.ok) values[field] = result.value;
    else errors.push({ field, ...result.error });
  }
  if (readValue(fields, 'code') === undefined) {
    errors.push(createMissingError('code', 'Give the code that Mixin sent to the phone.'));
  }
  return errors.length > 0 ? fail(errors) : succeed(values as unknown as SignInFields);
};

/** The verification that a row signs in with. */
export const readVerification = (fields: Fields): Result<SignInEnrolment, FieldError> => {
  const field = 'verification_id';
  const value = readValue(fields, field);
  if (value === undefined) {
    return fail(createMissingError(field, 'Give the id that Mixin answered when the code was requested.'));
  }
  const id = readUuid(value);
  if (!id.ok) return fail({ field, ...id.error });
  return succeed({ kind: 'sign_in', verification_id: id.value });
};

const MAX_NAME_CHARACTERS = 128;
const UNPRINTABLE = /[\p{Cc}\p{Cs}\p{Zl}\p{Zp}]/u;

/** The name of a user, without the space around it. */
export const readFullName = (value: unknown): Result<string> => {
  const name = toText(value);
  const { length } = [...name];
  if (length >= 1 && length <= MAX_NAME_CHARACTERS && !UNPRINTABLE.test(name)) return succeed(name);
  return refuseValue(
    'It is not a name.',
    `Give 1 to ${MAX_NAME_CHARACTERS} characters, without line breaks and other control characters.`,
  );
};

/** A user that is to be created, with its owner. */
export const readNetworkUser = (fields: Fields): Result<NetworkUserEnrolment, readonly FieldError[]> => {
  const full_name = readValue(fields, 'full_name');
  const owner = readUuid(readValue(fields, 'owner'));
  const name = readFullName(full_name);
  if (owner.ok && name.ok) {
    return succeed({ kind: 'network_user', owner: owner.value, full_name: name.value });
  }
  const errors: FieldError[] = [];
  if (!owner.ok) errors.push({ field: 'owner', ...owner.error });
  if (full_name === undefined) errors.push(createMissingError('full_name', 'Give the name of the user.'));
  else if (!name.ok) errors.push({ field: 'full_name', ...name.error });
  return fail(errors);
};

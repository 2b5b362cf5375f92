/** Rows of accounts that are yet to be made: a sign-in by a code, or a user that a bot creates. Pure. */

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
import {
  digitsOf,
  type FieldError,
  type Fields,
  given,
  invalid,
  missing,
  type Read,
  readUuid,
  textOf,
} from './row-fields.ts';

const oneOf = <T extends string>(values: readonly T[], value: unknown): T | undefined =>
  values.find((one) => one.toLowerCase() === textOf(value).toLowerCase());

const readCode = (value: unknown): Read =>
  /^\d{4,8}$/.test(digitsOf(value))
    ? { value: digitsOf(value) }
    : {
        message: 'It is not a code of four to eight digits.',
        fix: 'Give the code as Mixin sent it, as text: a spreadsheet cuts leading zeros off.',
      };

const readSessionKind = (value: unknown): Read<SessionKind> => {
  const kind = oneOf(sessionKinds, value);
  if (kind) return { value: kind };
  return { message: 'It is not a kind of session key.', fix: 'Write ed25519 or rsa, or leave it out.' };
};

/** The page of 2018 spells the second one "Andoird". */
const readPlatform = (value: unknown): Read<SignInFields['platform']> => {
  const platform = oneOf(platforms, value);
  if (platform) return { value: platform };
  return {
    message: 'It is not a platform that Mixin knows.',
    fix: 'Write iOS or Android; an old page of Mixin misspells the second.',
  };
};

const readPurpose = (value: unknown): Read<'SESSION'> => {
  if (textOf(value).toUpperCase() === 'SESSION') return { value: 'SESSION' };
  return {
    message: 'Enlist signs in for one purpose only.',
    fix: 'Ask for a code with the purpose SESSION, and write that or leave it out.',
  };
};

const readVersion = (value: unknown): Read => {
  const version = textOf(value);
  if (/^[0-9A-Za-z][0-9A-Za-z ._+()-]{0,63}$/.test(version)) return { value: version };
  return { message: 'It is not a version.', fix: 'Write it as text, such as "11.0", or leave it out.' };
};

const readPackage = (value: unknown): Read => {
  const name = textOf(value);
  if (name.length <= 128 && /^[A-Za-z][\w-]*(\.[\w-]+)+$/.test(name)) return { value: name };
  return {
    message: 'It is not the name of a package.',
    fix: `Write it as ${mixin.device.package_name}, or leave it out.`,
  };
};

const readToken = (value: unknown): Read => {
  const token = textOf(value);
  if (/^[!-~]{1,4096}$/.test(token)) return { value: token };
  return {
    message: 'It is not a token for push notifications.',
    fix: 'Give the token of APNS or FCM as text, or leave it out.',
  };
};

const readRegistrationId = (value: unknown): Read<number> => {
  const digits = digitsOf(value);
  const id = /^\d{1,10}$/.test(digits) ? Number(digits) : 0;
  if (id >= 1 && id <= maxRegistrationId) return { value: id };
  return {
    message: 'It is not a registration id.',
    fix: `Give a whole number from 1 to ${maxRegistrationId}, or leave it out.`,
  };
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
  readonly [F in keyof SignInFields]-?: (value: unknown) => Read<NonNullable<SignInFields[F]>>;
};

const defaults = { session_key: 'ed25519', purpose: 'SESSION', ...mixin.device } as const;

/**
 * Reads the fields of a sign-in, in a row or a request; what is left out is as `mixin.device` in topology.ts says.
 * Other fields are left alone.
 */
export const readSignIn = (
  fields: Fields,
): { readonly value: SignInFields } | { readonly errors: readonly FieldError[] } => {
  const values: Record<string, unknown> = { ...defaults };
  const errors: FieldError[] = [];
  for (const [field, read] of Object.entries(signInFields)) {
    const value = given(fields, field);
    if (value === undefined) continue;
    const one = read(value);
    if ('value' in one) values[field] = one.value;
    else errors.push(invalid(field, one));
  }
  if (given(fields, 'code') === undefined) {
    errors.push(missing('code', 'Give the code that Mixin sent to the phone.'));
  }
  return errors.length > 0 ? { errors } : { value: values as unknown as SignInFields };
};

/** Which verification a row signs in with. */
export const readVerification = (fields: Fields): { readonly value: SignInEnrolment } | FieldError => {
  const field = 'verification_id';
  const value = given(fields, field);
  if (value === undefined)
    return missing(field, 'Give the id that Mixin answered when the code was asked for.');
  const id = readUuid(value);
  if (!('value' in id)) return invalid(field, id);
  return { value: { kind: 'sign_in', verification_id: id.value } };
};

const MAX_NAME_CHARACTERS = 128;
const UNPRINTABLE = /[\p{Cc}\p{Cs}\p{Zl}\p{Zp}]/u;

export const readFullName = (value: unknown): Read => {
  const name = textOf(value);
  const { length } = [...name];
  if (length >= 1 && length <= MAX_NAME_CHARACTERS && !UNPRINTABLE.test(name)) return { value: name };
  return {
    message: 'It is not a name.',
    fix: `Give 1 to ${MAX_NAME_CHARACTERS} characters, without line ends and other control characters.`,
  };
};

/** A user that is to be created, and by whom. */
export const readNetworkUser = (
  fields: Fields,
): { readonly value: NetworkUserEnrolment } | { readonly errors: readonly FieldError[] } => {
  const [owner, full_name] = [given(fields, 'owner'), given(fields, 'full_name')];
  const id = readUuid(owner);
  const name = readFullName(full_name);
  const errors: FieldError[] = [];
  if ('message' in id) errors.push(invalid('owner', id));
  if (full_name === undefined) errors.push(missing('full_name', 'Give the name of the user.'));
  else if ('message' in name) errors.push(invalid('full_name', name));
  if ('message' in id || 'message' in name) return { errors };
  return { value: { kind: 'network_user', owner: id.value, full_name: name.value } };
};

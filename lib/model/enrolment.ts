/** How a row that has no account yet gets one, and the fields of a sign-in, which are declared nowhere else. */
import * as z from 'zod';
import { uuidSchema } from './uuid.ts';

/** A user that an owner bot creates: POST /users, which costs money. */
export const networkUserSchema = z.object({
  kind: z.literal('network_user'),
  /** User id of the bot that creates it. */
  owner: uuidSchema,
  full_name: z.string(),
});

/** Sign-in with a code: POST /verifications/:id. */
export const signInSchema = z.object({ kind: z.literal('sign_in'), verification_id: uuidSchema });

export type NetworkUserEnrolment = Readonly<z.infer<typeof networkUserSchema>>;
export type SignInEnrolment = Readonly<z.infer<typeof signInSchema>>;
export type Enrolment = NetworkUserEnrolment | SignInEnrolment;

/** Kinds of session keys. */
export const sessionKinds = ['ed25519', 'rsa'] as const;
export type SessionKind = (typeof sessionKinds)[number];

export const platforms = ['iOS', 'Android'] as const;
export const maxRegistrationId = 2 ** 31 - 1;

const deviceId = uuidSchema;
const registrationId = z.int().min(1).max(maxRegistrationId);

/** Fields that are sent to Mixin as they are. */
const fields = {
  /** What Mixin sent to the phone: a secret. */
  code: z.string(),
  platform: z.enum(platforms),
  platform_version: z.string(),
  app_version: z.string(),
  package_name: z.string(),
  /** Of APNS or FCM. */
  notification_token: z.string().exactOptional(),
  purpose: z.literal('SESSION'),
};

/** What an operator gives for a sign-in, in its normal form: every field that has a default has a value. */
export const signInFieldsSchema = z.object({
  ...fields,
  /** Kind of the session key that is generated for it. */
  session_key: z.enum(sessionKinds),
  device_id: deviceId.exactOptional(),
  registration_id: registrationId.exactOptional(),
});
export type SignInFields = Readonly<z.infer<typeof signInFieldsSchema>>;

/** What Mixin is sent to sign an account in. The code is in here, so this is a secret. */
export const signInRequestSchema = z.object({
  ...fields,
  device_id: deviceId,
  registration_id: registrationId,
});
export type SignInRequest = Readonly<z.infer<typeof signInRequestSchema>>;

/** An account that Mixin has just created or signed in: what a keystore needs beside the session's private key. */
export interface NewAccount {
  readonly user_id: string;
  readonly session_id: string;
  /** 64 hex characters; of an Ed25519 session. */
  readonly server_public_key?: string;
  /** Base64 of the key that PINs are encrypted with, itself encrypted; of an RSA session. */
  readonly pin_token?: string;
  /** The X-Request-Id of the call. */
  readonly request_id: string;
}

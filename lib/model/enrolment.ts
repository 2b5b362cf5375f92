/** How a row that has no account yet gets one. */
export type Enrolment =
  | {
      /** A user that an owner bot creates: POST /users, which costs money. */
      readonly kind: 'network_user';
      /** User id of the bot that creates it. */
      readonly owner: string;
      readonly full_name: string;
    }
  | {
      /** Sign-in with a code: POST /verifications/:id. */
      readonly kind: 'sign_in';
      readonly verification_id: string;
    };
/** An account that Mixin has just made or signed in: what a keystore needs beyond the session's private key. */
export interface NewAccount {
  readonly user_id: string;
  readonly session_id: string;
  /** 64 hex characters; of an Ed25519 session. */
  readonly server_public_key?: string;
  /** Base64 of the key that PINs are encrypted with, itself encrypted; of an RSA session. */
  readonly pin_token?: string;
  /** The X-Request-Id of the call that made it. */
  readonly request_id: string;
}

/** How an account is signed in; the code is in here, so this is a secret. */
export interface SignInRequest {
  readonly code: string;
  readonly device_id: string;
  readonly platform: string;
  readonly platform_version: string;
  readonly app_version: string;
  readonly package_name: string;
  readonly notification_token?: string;
  readonly purpose: 'SESSION';
  readonly registration_id: number;
}

import { DAY_SECONDS } from './deployment.ts';

export const mixin = {
  timeoutMs: 8_000,
  maxAnswerBytes: 1_048_576,
  tokenLifetimeSeconds: 120,
  /** Wrong PINs within a day that lock an account; Enlist never makes the try that could be the last. */
  pinErrorsToLock: 5,
  pinErrorWindowSeconds: DAY_SECONDS,
  /** A request that got no answer can no longer take effect after this (assumed). */
  settledSeconds: 60,
  /** What a sign-in says of itself where the operator says nothing. */
  device: {
    platform: 'Android',
    platform_version: '16',
    app_version: '3.0.0',
    package_name: 'one.mixin.messenger',
  },
} as const;
/** An account's session key is copied to its own secret when it is enrolled; the first copy can be restored so long. */

export const enrolmentRecoveryDays = 7;

/** How POST /safe/users is signed: as the shipped SDKs do, or by the documentation's literal reading. */
export type RegistrationSignature = 'shipped' | 'documented';

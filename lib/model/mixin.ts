/** What Enlist assumes of Mixin's API and its clients, as numbers. */
import { DAY_SECONDS } from './deployment.ts';

export const mixin = {
  timeoutMs: 8_000,
  maxAnswerBytes: 1_048_576,
  tokenLifetimeSeconds: 120,
  /** The token of a PIN call is good for at least so long, and never beyond the lease: a lease outlasts its work by this. */
  pinTokenSeconds: 60,
  /** Wrong PINs within a day that lock an account; Enlist never makes the attempt that could be the last. */
  pinErrorsToLock: 5,
  pinErrorWindowSeconds: DAY_SECONDS,
  /** A request that got no answer can no longer take effect after this (assumed). */
  settledSeconds: 60,
  /** The device of a sign-in for which the operator gives none. */
  device: {
    platform: 'Android',
    platform_version: '16',
    app_version: '3.0.0',
    package_name: 'one.mixin.messenger',
  },
} as const;
/** How POST /safe/users is signed: as the shipped SDKs do, or by the documentation's literal reading. */
export type RegistrationSignature = 'shipped' | 'documented';

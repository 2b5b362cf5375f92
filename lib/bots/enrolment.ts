/** Rows that have no account yet. Each has an id of Enlist's own until Mixin gives its account one. Pure. */
import { v5 as uuidv5 } from 'uuid';
import type { Bot } from '../model/bot.ts';
import type { QueueName } from '../model/deployment.ts';
import type { Enrolment, NewAccount } from '../model/enrolment.ts';
import { isRsaKey, type Keystore, type SessionKey } from '../model/keystore.ts';

/** Namespace of the ids of enrolments. It must never change, or a row could be paid for twice. */
const ENROLMENT_NAMESPACE = '3d9a1f60-52c7-5b8e-8f13-9e6b0c7a4d25';

/** The bot id of a row without an account. A sign-in has the same id in every list; a network user has that of its row. */
export const deriveEnrolmentId = (enrolment: Enrolment, batch_id: string, row: number): string =>
  uuidv5(
    // guard: enrolment-id-from-row
    enrolment.kind === 'sign_in' ? enrolment.verification_id : `${batch_id}#${row}`,
    ENROLMENT_NAMESPACE,
  );

/** The step that a queued bot goes to first. */
export const chooseStep = (bot: Pick<Bot, 'enrolment'>): QueueName => (bot.enrolment ? 'enroll' : 'check');

/** The keystore of a new account. Throws when Mixin's answer does not match the kind of the session key. */
export const buildKeystore = (account: NewAccount, session_key: SessionKey): Keystore => {
  const { user_id: app_id, session_id, server_public_key, pin_token } = account;
  if (isRsaKey(session_key)) {
    if (pin_token !== undefined) return { app_id, session_id, pin_token, private_key: session_key };
  } else if (server_public_key !== undefined) {
    return { app_id, session_id, server_public_key, session_private_key: session_key };
  }
  throw new Error('the account does not match its session key');
};

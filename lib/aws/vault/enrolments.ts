/**
 * Session keys of accounts that do not exist yet. Each enrolment has a secret, until the account has a secret of its
 * own.
 */
import * as z from 'zod';
import { type SignInRequest, signInRequestSchema } from '../../model/enrolment.ts';
import { sessionKeySchema } from '../../model/keystore.ts';
import type { EnrolmentSecret, Vault } from '../../model/ports.ts';
import { enrolmentRecoveryDays } from '../../model/timing.ts';
import { isPendingDeletion, type Secrets } from './secrets.ts';

const enrolmentSchema = z.object({
  session_key: sessionKeySchema,
  sign_in: signInRequestSchema.exactOptional(),
});

const CURRENT = { VersionStage: 'AWSCURRENT' };

/** Equal for sign-ins with the same fields, in whatever order. */
const toComparable = (sign_in: SignInRequest | undefined): string =>
  JSON.stringify(Object.entries(sign_in ?? {}).sort());

type EnrolmentSecrets = Pick<Vault, 'storeEnrolment' | 'readEnrolment' | 'removeEnrolment'>;

export const createEnrolmentSecrets = (secrets: Secrets, prefix: string): EnrolmentSecrets => {
  const toSecretName = (enrolment_id: string) => `${prefix}/enrolment/${enrolment_id}`;

  const readStored = async (enrolment_id: string): Promise<EnrolmentSecret | undefined> => {
    const version = await secrets.read(toSecretName(enrolment_id), CURRENT);
    if (!version) return undefined;
    const parsed = enrolmentSchema.safeParse(version.value);
    if (!parsed.success) throw new Error(`secret ${toSecretName(enrolment_id)} does not hold an enrolment`);
    return parsed.data;
  };

  /** Reads what was just written. Throws unless it has this session key. */
  const readBack = async (enrolment_id: string, session_key: string): Promise<EnrolmentSecret> => {
    const stored = await readStored(enrolment_id);
    // guard: unreadable-session-key-is-an-error
    if (stored?.session_key !== session_key)
      throw new Error(`the session key of enrolment ${enrolment_id} could not be read back`);
    return stored;
  };

  const storeEnrolment = async (enrolment_id: string, secret: EnrolmentSecret) => {
    const name = toSecretName(enrolment_id);
    let stored = await readStored(enrolment_id);
    if (!stored) {
      if (await secrets.create(name, secret))
        return { stored: await readBack(enrolment_id, secret.session_key), isNew: true };
      stored = await readStored(enrolment_id);
    }
    if (!stored) throw new Error(`secret ${name} cannot be read`);
    const { sign_in } = secret;
    const isNew = sign_in !== undefined && toComparable(sign_in) !== toComparable(stored.sign_in);
    if (!isNew) return { stored, isNew };
    const value = {
      ...secret,
      // guard: stored-session-key-is-never-replaced
      session_key: stored.session_key,
    };
    await secrets.put(name, value, { VersionStages: ['AWSCURRENT'] });
    return { stored: await readBack(enrolment_id, stored.session_key), isNew };
  };

  const answerPendingDeletion = (error: unknown): 'pending_deletion' => {
    if (isPendingDeletion(error)) return 'pending_deletion';
    throw error;
  };

  return {
    storeEnrolment: (enrolment_id, secret) =>
      storeEnrolment(enrolment_id, secret).catch(answerPendingDeletion),
    readEnrolment: (enrolment_id) =>
      readStored(enrolment_id)
        .then((stored) => stored ?? ('missing' as const))
        .catch(answerPendingDeletion),
    removeEnrolment: (enrolment_id) => secrets.remove(toSecretName(enrolment_id), enrolmentRecoveryDays),
  };
};

/**
 * Session keys of accounts that are yet to be made: a secret each, named by the enrolment, until the account has a
 * secret of its own.
 */
import { z } from 'zod';
import { signInRequestSchema } from '../../model/enrolment.ts';
import { sessionKeySchema } from '../../model/keystore.ts';
import { enrolmentRecoveryDays } from '../../model/mixin.ts';
import type { EnrolmentSecret, Vault } from '../../model/ports.ts';
import { type Secrets, unless } from './secrets.ts';

const enrolmentSchema = z.object({
  session_key: sessionKeySchema,
  sign_in: signInRequestSchema.exactOptional(),
});

const CURRENT = { VersionStage: 'AWSCURRENT' };

export type EnrolmentSecrets = Pick<Vault, 'storeEnrolment' | 'readEnrolment' | 'removeEnrolment'>;

export const createEnrolmentSecrets = (secrets: Secrets, prefix: string): EnrolmentSecrets => {
  const nameOf = (enrolment_id: string) => `${prefix}/enrolment/${enrolment_id}`;

  const readKept = async (enrolment_id: string): Promise<EnrolmentSecret | undefined> => {
    const version = await secrets.read(nameOf(enrolment_id), CURRENT);
    if (!version) return undefined;
    const parsed = enrolmentSchema.safeParse(version.value);
    if (!parsed.success) throw new Error(`secret ${nameOf(enrolment_id)} does not hold an enrolment`);
    return parsed.data;
  };

  /** What the vault shows after it was written; the key in it must be the one that was meant. */
  const readBack = async (enrolment_id: string, session_key: string): Promise<EnrolmentSecret> => {
    const kept = await readKept(enrolment_id);
    if (kept?.session_key !== session_key)
      throw new Error(`the session key of enrolment ${enrolment_id} could not be read back`);
    return kept;
  };

  const keep = async (enrolment_id: string, listed: EnrolmentSecret) => {
    const name = nameOf(enrolment_id);
    let known = await readKept(enrolment_id);
    if (!known) {
      if (await secrets.create(name, listed))
        return { kept: await readBack(enrolment_id, listed.session_key), isNews: true };
      known = await readKept(enrolment_id);
    }
    if (!known) throw new Error(`secret ${name} cannot be read`);
    const isNews =
      listed.sign_in !== undefined && JSON.stringify(listed.sign_in) !== JSON.stringify(known.sign_in);
    if (!isNews) return { kept: known, isNews };
    await secrets.put(name, { ...known, sign_in: listed.sign_in }, { VersionStages: ['AWSCURRENT'] });
    return { kept: await readBack(enrolment_id, known.session_key), isNews };
  };

  return {
    storeEnrolment: (enrolment_id, listed) =>
      keep(enrolment_id, listed).catch(unless('InvalidRequestException', 'pending_deletion' as const)),
    readEnrolment: (enrolment_id) =>
      readKept(enrolment_id)
        .then((kept) => kept ?? ('missing' as const))
        .catch(unless('InvalidRequestException', 'pending_deletion' as const)),
    removeEnrolment: (enrolment_id) => secrets.remove(nameOf(enrolment_id), enrolmentRecoveryDays),
  };
};

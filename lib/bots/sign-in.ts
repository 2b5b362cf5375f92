/** What a sign-in needs beyond what the operator gives: a session key, a device and a registration id. */
import { createHash } from 'node:crypto';
import { v5 as uuidv5 } from 'uuid';
import type { SessionKind, SignInFields, SignInRequest } from '../model/enrolment.ts';
import type { SessionKey } from '../model/keystore.ts';
import type { Services } from '../model/ports.ts';
import { generateSeed } from './key-forms.ts';

/** A new session key: 32 random bytes in hex, or an RSA key in PEM. */
export const generateSessionKey = async (services: Services, kind: SessionKind): Promise<SessionKey> =>
  kind === 'rsa' ? services.keys.generateRsaKey() : generateSeed(services);

/** Namespace of derived device ids. */
const DEVICE_NAMESPACE = '91c4e0d7-6b2a-5f3c-a8d1-4e7f9b0c2a68';

/** Signal's registration ids have 14 bits and are never 0. */
const REGISTRATION_IDS = 16_380;

const deriveRegistrationId = (verification_id: string): number =>
  1 + (createHash('sha256').update(verification_id).digest().readUInt32BE() % REGISTRATION_IDS);

/**
 * The request to Mixin. A missing device id is that of the request for the code, where Enlist made it; what is still
 * missing is derived from the verification, so that a message that comes twice sends the same request.
 */
export const buildSignInRequest = async (
  services: Services,
  verification_id: string,
  { session_key: _, device_id, registration_id, ...fields }: SignInFields,
): Promise<SignInRequest> => {
  const known = device_id === undefined ? await services.table.readVerification(verification_id) : undefined;
  return {
    ...fields,
    device_id: device_id ?? known?.device_id ?? uuidv5(verification_id, DEVICE_NAMESPACE),
    registration_id: registration_id ?? deriveRegistrationId(verification_id),
  };
};

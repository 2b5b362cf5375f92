/**
 * POST /safe/users: binds the spend key, once and for ever.
 *
 * The page (developers.mixin.one, api/sequencer/registration) and every shipped SDK disagree on `signature`; the
 * setting `signature` says which is demanded. Chosen where the live server's reply is unknown: an account that is in
 * Safe already gets 10002 with extra {field: 'public_key', reason: 'registered already'} whatever it sends; one
 * without a TIP PIN gets 20118, as the apps do for a six-digit PIN. Neither counts as a wrong PIN.
 */
import { createHash } from 'node:crypto';
import { createReadView } from './accounts.ts';
import { createUserObject, invalidField, Refusal } from './answers.ts';
import { decodeBase64, type EndpointResult, readFields, readText, type SignedContext } from './call.ts';
import { isPublicKey, isSigned } from './ed25519.ts';
import { countWrongPin, decryptPin, refuseWhenLocked } from './pin.ts';

const hashRegistration = (user_id: string, publicKey: string): Buffer =>
  createHash('sha256').update(`SEQUENCER:REGISTER:${user_id}${publicKey}`).digest();

const isSignedByKey = (visit: SignedContext, publicKey: string, signature: string): boolean => {
  const { user_id } = visit.account;
  if (visit.settings.signature === 'documented')
    return (
      /^[0-9a-f]{128}$/.test(signature) &&
      isSigned(publicKey, hashRegistration(user_id, publicKey), Buffer.from(signature, 'hex'))
    );
  const raw = /^[\w-]{86}$/.test(signature) ? decodeBase64(signature) : undefined;
  return raw !== undefined && isSigned(publicKey, createHash('sha3-256').update(user_id).digest(), raw);
};

const createRegisteredError = (): Refusal => invalidField('public_key', 'registered already');

export const registerSafe = (visit: SignedContext): EndpointResult => {
  const { account, settings } = visit;
  const fields = readFields(visit.call.body);
  const seen = createReadView(account, visit.nowMs);
  if (seen.has_safe) throw createRegisteredError();

  const publicKey = readText(fields, 'public_key');
  if (!isPublicKey(publicKey)) throw invalidField('public_key', 'not an Ed25519 point in lower-case hex');
  if (!isSignedByKey(visit, publicKey, readText(fields, 'signature')))
    throw invalidField('signature', 'not signed by public_key');
  const encrypted = readText(fields, 'pin_base64', 'pin');
  if (encrypted === '') throw invalidField('pin_base64', 'the PIN is missing');

  if (seen.tip_public_key === '') throw new Refusal(20118, 'there is no TIP PIN');
  refuseWhenLocked(visit);
  const pin = decryptPin(visit, encrypted);
  if (!isSigned(account.tip_public_key, hashRegistration(account.user_id, publicKey), pin))
    throw countWrongPin(visit, 'the PIN is wrong');
  // Readers may lag, the write itself never does: no account gets a second key.
  if (account.has_safe) throw createRegisteredError();

  account.spend_public_key = publicKey;
  account.has_safe = true;
  return {
    data: createUserObject(account, settings.shows_spend_key),
    bound: { kind: 'spend', public_key: publicKey },
  };
};

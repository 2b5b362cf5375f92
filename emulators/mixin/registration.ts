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
import { countWrongPin, decryptPin, refuseWhenLocked, requirePin } from './pin.ts';

const hashRegistration = (user_id: string, publicKey: string): Buffer =>
  createHash('sha256').update(`SEQUENCER:REGISTER:${user_id}${publicKey}`).digest();

const isSignedByKey = (context: SignedContext, publicKey: string, signature: string): boolean => {
  const { user_id } = context.account;
  if (context.settings.signature === 'documented')
    return (
      /^[0-9a-f]{128}$/.test(signature) &&
      isSigned(publicKey, hashRegistration(user_id, publicKey), Buffer.from(signature, 'hex'))
    );
  const raw = /^[\w-]{86}$/.test(signature) ? decodeBase64(signature) : undefined;
  return raw !== undefined && isSigned(publicKey, createHash('sha3-256').update(user_id).digest(), raw);
};

const createRegisteredError = (): Refusal => invalidField('public_key', 'registered already');

export const registerSafe = (context: SignedContext): EndpointResult => {
  const { account, settings } = context;
  const fields = readFields(context.call.body);
  const seen = createReadView(account, context.nowMs);
  if (seen.has_safe) throw createRegisteredError();

  const publicKey = readText(fields, 'public_key');
  if (!isPublicKey(publicKey)) throw invalidField('public_key', 'not an Ed25519 point in lower-case hex');
  if (!isSignedByKey(context, publicKey, readText(fields, 'signature')))
    throw invalidField('signature', 'not signed by public_key');
  const encrypted = requirePin(fields);

  if (seen.tip_public_key === '') throw new Refusal(20118, 'there is no TIP PIN');
  refuseWhenLocked(context);
  const pin = decryptPin(context, encrypted);
  if (!isSigned(account.tip_public_key, hashRegistration(account.user_id, publicKey), pin))
    throw countWrongPin(context, 'the PIN is wrong');
  // Readers may lag, the write itself never does: no account gets a second key.
  if (account.has_safe) throw createRegisteredError();

  account.spend_public_key = publicKey;
  account.has_safe = true;
  return {
    data: createUserObject(account, settings.shows_spend_key),
    bound: { kind: 'spend', public_key: publicKey },
  };
};

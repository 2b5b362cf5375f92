/**
 * POST /pin/update and POST /pin/verify.
 *
 * Chosen where the live server's reply is unknown: 20118 when there is no PIN to verify, when the new PIN is not
 * `public key ‖ counter 1`, and for setting a new six-digit PIN; 20119 uncounted for an old PIN where there is none
 * and for a wrong counter.
 */
import { type Account, createReadView } from './accounts.ts';
import { createUserObject, invalidField, Refusal } from './answers.ts';
import {
  type Digits,
  type EndpointResult,
  type Fields,
  readFields,
  readText,
  type SignedContext,
} from './call.ts';
import { isPublicKey, isSigned } from './ed25519.ts';
import { countWrongPin, decryptPin, refuseWhenLocked } from './pin.ts';

/** Not hashed, unlike every other TIP body. */
export const createVerifyBody = (timestamp: string): Buffer =>
  Buffer.from(`TIP:VERIFY:${timestamp.padStart(32, '0')}`);

interface NewTip {
  readonly public_key: string;
  readonly counter: bigint;
}

const readNewTip = (visit: SignedContext, encrypted: string): NewTip => {
  const pin = decryptPin(visit, encrypted);
  if (pin.length !== 40) throw new Refusal(20118, 'the new PIN is not public key and counter');
  const public_key = pin.subarray(0, 32).toString('hex');
  if (!isPublicKey(public_key)) throw new Refusal(20118, 'the new PIN is not an Ed25519 point');
  return { public_key, counter: pin.readBigUInt64BE(32) };
};

const isSixDigitPin = (account: Account, pin: Buffer): boolean =>
  pin.equals(Buffer.from(account.six_digit_pin));

const bind = (visit: SignedContext, tip: NewTip): EndpointResult => {
  const { account, settings } = visit;
  if (tip.counter !== 1n) throw new Refusal(20118, 'the first counter is not 1');
  account.tip_public_key = tip.public_key;
  account.tip_counter = 1;
  account.six_digit_pin = '';
  return {
    data: createUserObject(account, settings.shows_spend_key),
    bound: { kind: 'tip', public_key: tip.public_key },
  };
};

const upgrade = (visit: SignedContext, oldPin: string, newPin: string): EndpointResult => {
  if (visit.settings.suspend_upgrade) throw new Refusal(20118, 'the upgrade of six-digit PINs is suspended');
  if (oldPin === '') throw countWrongPin(visit, 'the old PIN is missing');
  if (!isSixDigitPin(visit.account, decryptPin(visit, oldPin)))
    throw countWrongPin(visit, 'the old PIN is wrong');
  return bind(visit, readNewTip(visit, newPin));
};

const renew = (visit: SignedContext, oldPin: string, newPin: string): EndpointResult => {
  const { account, settings } = visit;
  if (oldPin === '') throw countWrongPin(visit, 'the old PIN is missing');
  const proof = decryptPin(visit, oldPin);
  if (!isSigned(account.tip_public_key, createVerifyBody(String(account.tip_counter)), proof))
    throw countWrongPin(visit, 'the old PIN is wrong');
  const tip = readNewTip(visit, newPin);
  if (tip.public_key !== account.tip_public_key) throw countWrongPin(visit, 'the TIP key cannot be changed');
  if (tip.counter !== BigInt(account.tip_counter) + 1n)
    throw new Refusal(20119, 'the counter is not the next');
  account.tip_counter += 1;
  return { data: createUserObject(account, settings.shows_spend_key) };
};

export const updatePin = (visit: SignedContext): EndpointResult => {
  const { account } = visit;
  const fields = readFields(visit.call.body);
  const oldPin = readText(fields, 'old_pin_base64', 'old_pin');
  const newPin = readText(fields, 'pin_base64', 'pin');
  if (newPin === '') throw invalidField('pin_base64', 'the new PIN is missing');
  refuseWhenLocked(visit);
  if (account.tip_public_key !== '') return renew(visit, oldPin, newPin);
  if (account.six_digit_pin !== '') return upgrade(visit, oldPin, newPin);
  if (oldPin !== '') throw new Refusal(20119, 'there is no old PIN');
  return bind(visit, readNewTip(visit, newPin));
};

const readTimestamp = (fields: Fields): string => {
  const digits = (fields.timestamp as Digits | undefined)?.digits;
  if (typeof digits !== 'string' || !/^\d{1,32}$/.test(digits))
    throw invalidField('timestamp', 'not an integer');
  return digits;
};

export const verifyPin = (visit: SignedContext): EndpointResult => {
  const { account, settings } = visit;
  const fields = readFields(visit.call.body);
  const encrypted = readText(fields, 'pin_base64', 'pin');
  if (encrypted === '') throw invalidField('pin_base64', 'the PIN is missing');
  refuseWhenLocked(visit);
  if (account.tip_public_key !== '') {
    const body = createVerifyBody(readTimestamp(fields));
    if (!isSigned(account.tip_public_key, body, decryptPin(visit, encrypted)))
      throw countWrongPin(visit, 'the PIN is wrong');
  } else if (account.six_digit_pin !== '') {
    if (!isSixDigitPin(account, decryptPin(visit, encrypted))) throw countWrongPin(visit, 'the PIN is wrong');
  } else throw new Refusal(20118, 'there is no PIN');
  return { data: createUserObject(createReadView(account, visit.nowMs), settings.shows_spend_key) };
};

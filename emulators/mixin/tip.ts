/**
 * POST /pin/update and POST /pin/verify.
 *
 * Chosen where the live server's reply is unknown: 20118 when there is no PIN to verify, when the new PIN is not
 * `public key ‖ counter 1`, and for setting a new six-digit PIN; 20119 uncounted for an old PIN where there is none
 * and for a wrong counter.
 */
import { type Account, createReadView } from './accounts.ts';
import { createUserObject, Refusal } from './answers.ts';
import { type EndpointResult, readFields, readText, requireDigits, type SignedContext } from './call.ts';
import { isPublicKey, isSigned } from './ed25519.ts';
import { countWrongPin, decryptPin, refuseWhenLocked, requirePin } from './pin.ts';

/** Not hashed, unlike every other TIP body. */
const createVerifyBody = (timestamp: string): Buffer =>
  Buffer.from(`TIP:VERIFY:${timestamp.padStart(32, '0')}`);

interface NewTip {
  readonly public_key: string;
  readonly counter: bigint;
}

const readNewTip = (context: SignedContext, encrypted: string): NewTip => {
  const pin = decryptPin(context, encrypted);
  if (pin.length !== 40) throw new Refusal(20118, 'the new PIN is not public key and counter');
  const public_key = pin.subarray(0, 32).toString('hex');
  if (!isPublicKey(public_key)) throw new Refusal(20118, 'the new PIN is not an Ed25519 point');
  return { public_key, counter: pin.readBigUInt64BE(32) };
};

const isSixDigitPin = (account: Account, pin: Buffer): boolean =>
  pin.equals(Buffer.from(account.six_digit_pin));

const bind = (context: SignedContext, tip: NewTip): EndpointResult => {
  const { account, settings } = context;
  if (tip.counter !== 1n) throw new Refusal(20118, 'the first counter is not 1');
  account.tip_public_key = tip.public_key;
  account.tip_counter = 1;
  account.six_digit_pin = '';
  return {
    data: createUserObject(account, settings.shows_spend_key),
    bound: { kind: 'tip', public_key: tip.public_key },
  };
};

const upgrade = (context: SignedContext, oldPin: string, newPin: string): EndpointResult => {
  if (context.settings.suspend_upgrade)
    throw new Refusal(20118, 'the upgrade of six-digit PINs is suspended');
  if (oldPin === '') throw countWrongPin(context, 'the old PIN is missing');
  if (!isSixDigitPin(context.account, decryptPin(context, oldPin)))
    throw countWrongPin(context, 'the old PIN is wrong');
  return bind(context, readNewTip(context, newPin));
};

const renew = (context: SignedContext, oldPin: string, newPin: string): EndpointResult => {
  const { account, settings } = context;
  if (oldPin === '') throw countWrongPin(context, 'the old PIN is missing');
  const proof = decryptPin(context, oldPin);
  if (!isSigned(account.tip_public_key, createVerifyBody(String(account.tip_counter)), proof))
    throw countWrongPin(context, 'the old PIN is wrong');
  const tip = readNewTip(context, newPin);
  if (tip.public_key !== account.tip_public_key)
    throw countWrongPin(context, 'the TIP key cannot be changed');
  if (tip.counter !== BigInt(account.tip_counter) + 1n)
    throw new Refusal(20119, 'the counter is not the next');
  account.tip_counter += 1;
  return { data: createUserObject(account, settings.shows_spend_key) };
};

export const updatePin = (context: SignedContext): EndpointResult => {
  const { account } = context;
  const fields = readFields(context.call.body);
  const oldPin = readText(fields, 'old_pin_base64', 'old_pin');
  const newPin = requirePin(fields);
  refuseWhenLocked(context);
  if (account.tip_public_key !== '') return renew(context, oldPin, newPin);
  if (account.six_digit_pin !== '') return upgrade(context, oldPin, newPin);
  if (oldPin !== '') throw new Refusal(20119, 'there is no old PIN');
  return bind(context, readNewTip(context, newPin));
};

export const verifyPin = (context: SignedContext): EndpointResult => {
  const { account, settings } = context;
  const fields = readFields(context.call.body);
  const encrypted = requirePin(fields);
  refuseWhenLocked(context);
  if (account.tip_public_key !== '') {
    const body = createVerifyBody(requireDigits(fields, 'timestamp', 32));
    if (!isSigned(account.tip_public_key, body, decryptPin(context, encrypted)))
      throw countWrongPin(context, 'the PIN is wrong');
  } else if (account.six_digit_pin !== '') {
    if (!isSixDigitPin(account, decryptPin(context, encrypted)))
      throw countWrongPin(context, 'the PIN is wrong');
  } else throw new Refusal(20118, 'there is no PIN');
  return { data: createUserObject(createReadView(account, context.nowMs), settings.shows_spend_key) };
};

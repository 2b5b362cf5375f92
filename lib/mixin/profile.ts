/**
 * Mixin's user object, as far as Enlist uses it. Fields:
 * https://developers.mixin.one/docs/api/sequencer/registration; `spend_public_key` is in no documented sample, but
 * fox-one reads it from the user and the Node SDK from its `app` (read 2026-11-21).
 */
import * as z from 'zod';
import type { Profile } from '../model/ports.ts';
import type { MixinAnswer } from './answer.ts';
import { createMixinError, type Method } from './errors.ts';

const KEY_BYTES = 32;

/** base64 of 32 bytes, either alphabet, padded or not → hex; empty stays empty. */
const tipKey = z
  .string()
  .regex(/^([A-Za-z0-9+/_-]{43}=?)?$/)
  .transform((text) => Buffer.from(text, 'base64').subarray(0, KEY_BYTES).toString('hex'));

/** A key that Mixin may leave out. Anything that is not a key counts as absent. */
const spendKey = z
  .string()
  .regex(/^[0-9a-f]{64}$/i)
  .toLowerCase()
  .optional()
  .catch(undefined);

const schema = z.object({
  user_id: z.string().toLowerCase(),
  has_pin: z.boolean(),
  has_safe: z.boolean(),
  tip_key_base64: tipKey,
  spend_public_key: spendKey,
  app: z.object({ spend_public_key: spendKey }).optional().catch(undefined),
});

/**
 * Reads a user object. Throws MixinError `broken_answer` when a field is missing or of another shape, or when
 * it is about another user than `user_id`; none of its content gets into the error.
 */
export const readProfile = (answer: MixinAnswer, user_id: string, method: Method): Profile => {
  const { request_id } = answer;
  const parsed = schema.safeParse(answer.data);
  if (!parsed.success || parsed.data.user_id !== user_id.toLowerCase()) {
    throw createMixinError('broken_answer', { method, request_id });
  }
  const { has_pin, has_safe, tip_key_base64, spend_public_key, app } = parsed.data;
  const spend = spend_public_key ?? app?.spend_public_key;
  return {
    user_id: parsed.data.user_id,
    has_pin,
    has_safe,
    tip_public_key: tip_key_base64,
    ...(spend !== undefined && { spend_public_key: spend }),
    request_id,
  };
};

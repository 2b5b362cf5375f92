/**
 * The answer of POST /verifications: VerificationResponse of the Android app, VerificationResponse.swift of the iOS
 * app (read 2026-11-21). No page describes it any more.
 */
import * as z from 'zod';
import type { Verification } from '../model/ports.ts';
import { uuidSchema } from '../model/uuid.ts';
import type { MixinAnswer } from './answer.ts';
import { createMixinError } from './errors.ts';

/** Go's empty time. */
const NO_TIME = '0001-01-01T00:00:00Z';

const absent = (value: unknown): unknown =>
  value === null || value === '' || value === NO_TIME ? undefined : value;

/** A time that cannot be read is not taken for none: a deletion may depend on it. */
const time = z.preprocess(
  absent,
  z.iso
    .datetime({ offset: true })
    .transform((text) => new Date(text).toISOString())
    .optional(),
);

const schema = z.object({
  id: uuidSchema,
  has_emergency_contact: z.preprocess(absent, z.boolean().default(false)),
  contact_id: z.preprocess(absent, uuidSchema.optional()),
  deactivation_requested_at: time,
  deactivation_effective_at: time,
});

/**
 * Reads it. Empty dates are absent, others ISO times in UTC. Throws MixinError `broken_answer` when the id is no UUID
 * or another field has another shape; none of its content gets into the error.
 */
export const readVerification = ({ data, request_id }: MixinAnswer): Verification => {
  const parsed = schema.safeParse(data);
  if (!parsed.success) throw createMixinError('broken_answer', { method: 'POST', request_id });
  const { id, has_emergency_contact, contact_id, deactivation_requested_at, deactivation_effective_at } =
    parsed.data;
  return {
    verification_id: id,
    has_emergency_contact,
    ...(contact_id !== undefined && { contact_id }),
    ...(deactivation_requested_at !== undefined && { deactivation_requested_at }),
    ...(deactivation_effective_at !== undefined && { deactivation_effective_at }),
    request_id,
  };
};

/**
 * Mixin's log of wrong PINs, GET /logs?category=PIN_INCORRECT&limit=5: what the apps count before they let a person
 * try another one. Entries as in the Node SDK's LogResponse; the page that described them is gone (read 2026-11-21).
 */
import * as z from 'zod';
import type { MixinAnswer } from './answer.ts';
import { createMixinError } from './errors.ts';

const MAX_ENTRIES = 5;

const schema = z.array(z.object({ created_at: z.iso.datetime({ offset: true }) }));

/**
 * The times of wrong PINs: ISO times in UTC with milliseconds, sorted with the newest first, five at most. Throws
 * MixinError `broken_answer` when an entry has no ISO time.
 */
export const readPinErrors = ({ data, request_id }: MixinAnswer): readonly string[] => {
  const parsed = schema.safeParse(data);
  if (!parsed.success) throw createMixinError('broken_answer', { method: 'GET', request_id });
  const times = parsed.data.map(({ created_at }) => new Date(created_at).toISOString());
  return times.sort().reverse().slice(0, MAX_ENTRIES);
};

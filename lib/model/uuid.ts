import * as z from 'zod';

/** A UUID of whatever version (Mixin makes some by hashing), in any case → in lower case. */
export const uuidSchema = z.guid().toLowerCase();

/** The UUID that a text is, in lower case; undefined when it is none. */
export const parseUuid = (text: string): string | undefined => uuidSchema.safeParse(text).data;

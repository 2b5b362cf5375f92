import * as z from 'zod';

/** A UUID of any version (Mixin makes some by hashing), in upper or lower case → in lower case. */
export const uuidSchema = z.guid().toLowerCase();

/** A UUID in lower case; undefined when the text is not one. */
export const parseUuid = (text: string): string | undefined => uuidSchema.safeParse(text).data;

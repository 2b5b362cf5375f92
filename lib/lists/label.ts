/** What people call a bot. Never a secret: whatever could be a key or a PIN is not taken. Pure. */
import { labelFields } from './names.ts';
import { type Fields, readValue, toText } from './row-fields.ts';

const MAX_CHARACTERS = 100;

/** Keys in hex or base64 have no space within 40 characters; PINs and codes are short numbers. */
const mayBeSecret = (text: string): boolean =>
  /[A-Za-z0-9+/=_-]{40,}/.test(text) || text.includes('-----') || /^\d{4,8}$/.test(text);

const cleanLabel = (text: string): string =>
  [...text.replace(/[\p{C}\p{Zl}\p{Zp}\s]+/gu, ' ').trim()].slice(0, MAX_CHARACTERS).join('').trim();

/** The label of a row; undefined where it has none, or one that may be a secret. */
export const readLabel = (fields: Fields): string | undefined => {
  for (const field of labelFields) {
    const text = toText(readValue(fields, field));
    // guard: label-is-no-secret
    if (mayBeSecret(text)) continue;
    const label = cleanLabel(text);
    if (label !== '') return label;
  }
  return undefined;
};

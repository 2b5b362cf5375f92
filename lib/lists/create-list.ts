/** `{"create": {…}}`: a list of network users, all made by one bot and named alike. Pure. */
import { limits } from '../model/limits.ts';
import { problem, type RawRow, type ReadList, type Refused } from './raw-list.ts';
import { readFullName } from './row-enrolment.ts';
import { type Fields, readUuid } from './row-fields.ts';

const known: readonly string[] = ['owner', 'count', 'full_name', 'accept_cost_usd'];

const bad = (message: string, fix: string) => problem('bad_create', message, fix);

const isFields = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const isCount = (value: unknown): value is number =>
  Number.isInteger(value) && Number(value) >= 1 && Number(value) <= limits.maxRows;

const isCost = (value: unknown): boolean => Number.isFinite(value) && Number(value) >= 0;

const numbered = (full_name: string, n: number): string => full_name.replaceAll('{n}', String(n));

interface Wish {
  readonly owner: string;
  readonly count: number;
  readonly full_name: string;
  readonly accept_cost_usd?: number;
}

/** What a `create` must be, or what is wrong with it. */
const readWish = (create: Fields): Wish | Refused => {
  if (Object.keys(create).some((name) => !known.includes(name))) {
    return bad('create has a field that Enlist does not know.', `Give ${known.join(', ')} and nothing else.`);
  }
  const { owner, count, full_name, accept_cost_usd } = create;
  if ('message' in readUuid(owner)) {
    return bad('owner of create is not a UUID.', 'Give the user id of the bot that creates the users.');
  }
  if (!isCount(count)) {
    return bad('count of create is not a count.', `Give a whole number from 1 to ${limits.maxRows}.`);
  }
  // The last name is the longest.
  const longest = readFullName(typeof full_name === 'string' ? numbered(full_name, count) : full_name);
  if ('message' in longest) return bad('full_name of create is not a name.', longest.fix);
  if (accept_cost_usd !== undefined && !isCost(accept_cost_usd)) {
    return bad(
      'accept_cost_usd of create is not an amount.',
      'Give US dollars as a number, or leave it out.',
    );
  }
  return create as unknown as Wish;
};

const expand = ({ owner, count, full_name }: Wish): readonly RawRow[] =>
  Array.from({ length: count }, (_, index) => ({
    row: index + 1,
    line: 1,
    fields: { owner, full_name: numbered(full_name, index + 1) },
  }));

/** Does the list wish for network users, instead of holding rows? */
export const isCreate = (fields: Fields): boolean => Object.hasOwn(fields, 'create');

/** The object that is the whole list → one row for each user, or a problem that names the field. */
export const readCreate = (fields: Fields): ReadList => {
  const { create, ...others } = fields;
  if (Object.keys(others).length > 0) {
    return bad('create does not stand alone.', 'Send {"create": {…}} as a list of its own.');
  }
  if (!isFields(create)) {
    return bad('create is not an object.', 'Send {"create": {"owner": …, "count": …, "full_name": …}}.');
  }
  const wish = readWish(create);
  if ('problem' in wish) return wish;
  const { count, accept_cost_usd } = wish;
  return {
    rows: expand(wish),
    errors: [],
    total: count,
    ...(accept_cost_usd !== undefined && { accepted_cost_usd: accept_cost_usd }),
  };
};

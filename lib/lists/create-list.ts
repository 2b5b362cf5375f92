/** `{"create": {…}}`: a list of network users, all created by one bot and named alike. Pure. */
import { limits } from '../model/limits.ts';
import { type Result, succeed } from '../model/result.ts';
import { type RawList, type RawRow, rejectList } from './raw-list.ts';
import { readFullName } from './row-enrolment.ts';
import { type Fields, isFields, readUuid } from './row-fields.ts';

const knownFields: readonly string[] = ['owner', 'count', 'full_name', 'accept_cost_usd'];

const refuse = (message: string, fix: string) => rejectList('bad_create', message, fix);

const isCount = (value: unknown): value is number =>
  Number.isInteger(value) && Number(value) >= 1 && Number(value) <= limits.maxRows;

const isCost = (value: unknown): boolean => Number.isFinite(value) && Number(value) >= 0;

const insertNumber = (full_name: string, n: number): string => full_name.replaceAll('{n}', String(n));

interface CreateRequest {
  readonly owner: string;
  readonly count: number;
  readonly full_name: string;
  readonly accept_cost_usd?: number;
}

const readRequest = (create: Fields): Result<CreateRequest> => {
  if (Object.keys(create).some((name) => !knownFields.includes(name))) {
    return refuse(
      'create has a field that Enlist does not know.',
      `Give ${knownFields.join(', ')} and nothing else.`,
    );
  }
  const { owner, count, full_name, accept_cost_usd } = create;
  if (!readUuid(owner).ok) {
    return refuse('owner of create is not a UUID.', 'Give the user id of the bot that creates the users.');
  }
  if (!isCount(count)) {
    return refuse(
      'count of create is not a valid count.',
      `Give a whole number from 1 to ${limits.maxRows}.`,
    );
  }
  // The last name is the longest.
  const longest = readFullName(typeof full_name === 'string' ? insertNumber(full_name, count) : full_name);
  if (!longest.ok) return refuse('full_name of create is not a valid name.', longest.error.fix);
  if (accept_cost_usd !== undefined && !isCost(accept_cost_usd)) {
    return refuse(
      'accept_cost_usd of create is not an amount.',
      'Give US dollars as a number, or leave it out.',
    );
  }
  return succeed(create as unknown as CreateRequest);
};

const createRows = ({ owner, count, full_name }: CreateRequest): readonly RawRow[] =>
  Array.from({ length: count }, (_, index) => ({
    row: index + 1,
    line: 1,
    fields: { owner, full_name: insertNumber(full_name, index + 1) },
  }));

/** Does the list ask for network users, instead of holding rows? */
export const isCreate = (fields: Fields): boolean => Object.hasOwn(fields, 'create');

/** The object that is the whole list → one row for each user, or a problem that names the field. */
export const readCreate = (fields: Fields): Result<RawList> => {
  const { create, ...others } = fields;
  if (Object.keys(others).length > 0) {
    return refuse('The list has other fields beside create.', 'Send {"create": {…}} as a list of its own.');
  }
  if (!isFields(create)) {
    return refuse('create is not an object.', 'Send {"create": {"owner": …, "count": …, "full_name": …}}.');
  }
  const request = readRequest(create);
  if (!request.ok) return request;
  const { count, accept_cost_usd } = request.value;
  return succeed({
    rows: createRows(request.value),
    errors: [],
    total: count,
    formats: ['JSON'],
    ...(accept_cost_usd !== undefined && { accepted_cost_usd: accept_cost_usd }),
  });
};

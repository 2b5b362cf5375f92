import { randomBytes, randomUUID } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { keystoreFields } from '../../lib/lists/names.ts';
import { readRow, splitDuplicates } from '../../lib/lists/row.ts';
import { signInFields } from '../../lib/lists/row-enrolment.ts';
import * as keys from '../../lib/mixin/keys.ts';
import { keystoreSchema } from '../../lib/model/keystore.ts';
import { hex, type RowFields, rsaKeys } from './keystores.ts';

const seed = () => hex(randomBytes(32));

const keystore = async () => ({
  app_id: randomUUID() as string,
  session_id: randomUUID() as string,
  server_public_key: await keys.derivePublicKey(seed()),
  session_private_key: seed(),
});
const signIn = () => ({ verification_id: randomUUID() as string, code: '1234' });
const networkUser = () => ({ owner: randomUUID() as string, full_name: 'Node 1' });

const place = { row: 6, line: 7, file: 'list.csv' };
const read = (fields: RowFields) => readRow({ ...place, fields }, keys);

/** The row; throws where it has errors. */
const readValid = async (fields: RowFields) => {
  const row = await read(fields);
  if (!row.ok) throw new Error(JSON.stringify(row.error));
  return row.value;
};
const readErrors = async (fields: RowFields) => {
  const row = await read(fields);
  return row.ok ? [] : row.error;
};

describe('kinds of rows', () => {
  test('a row can be a keystore, and has its digest', async () => {
    const listed = await keystore();
    const row = await readValid(listed);
    expect(row).toEqual({ ...place, keystore: listed, row_digest: expect.stringMatching(/^[0-9a-f]{32}$/) });
  });

  test('a row can be a sign-in, and has its code', async () => {
    const { verification_id, code } = signIn();
    const row = await readValid({ verification_id: verification_id.toUpperCase(), code });
    expect(row).toMatchObject({
      ...place,
      enrolment: { kind: 'sign_in', verification_id },
      sign_in: { code },
    });
    expect(Object.keys(row)).toEqual(['row', 'line', 'file', 'enrolment', 'sign_in']);
  });

  test('a row can be a network user', async () => {
    const { owner, full_name } = networkUser();
    const row = await readValid({ owner: owner.toUpperCase(), full_name: ` ${full_name}\n`, note: 1 });
    expect(row).toEqual({ ...place, enrolment: { kind: 'network_user', owner, full_name } });
  });

  test('a row cannot be a create', async () => {
    expect(await readErrors({ create: { owner: randomUUID(), count: 1, full_name: 'x' } })).toMatchObject([
      { ...place, field: 'create', code: 'bad_create' },
    ]);
  });

  test('a row is of one kind: an error names a field of each when it is of two', async () => {
    const [bot, code, user] = [await keystore(), signIn(), networkUser()];
    const errors = await Promise.all([
      readErrors({ ...bot, ...code }),
      readErrors({ ...user, ...bot }),
      readErrors({ ...user, code: '1234' }),
      readErrors({ pin: '123456', owner: user.owner }),
    ]);
    expect(errors.map(([error, ...others]) => [error?.field, error?.code, error?.message, others])).toEqual([
      ['verification_id', 'mixed_row', 'app_id belongs to a keystore and verification_id to a sign-in.', []],
      ['owner', 'mixed_row', 'app_id belongs to a keystore and owner to a network user.', []],
      ['owner', 'mixed_row', 'code belongs to a sign-in and owner to a network user.', []],
      ['owner', 'mixed_row', 'pin belongs to a keystore and owner to a network user.', []],
    ]);
  });

  test('a row without fields of another kind is a keystore', async () => {
    expect((await readErrors({})).map(({ code }) => code)).toEqual(['no_known_field']);
    expect((await readErrors({ label: 'x' })).map(({ field }) => field)).toEqual([
      'app_id',
      'session_id',
      'session_private_key',
      'server_public_key',
    ]);
    expect(await readErrors({ ...(await keystore()), owner: ' ', code: null, full_name: 'My bot' })).toEqual(
      [],
    );
  });
});

test('a row error names no file where there is none', async () => {
  const row = await readRow({ row: 1, line: 1, fields: {} }, keys);
  expect(!row.ok && Object.keys(row.error[0] ?? {})).toEqual([
    'row',
    'line',
    'field',
    'code',
    'message',
    'fix',
  ]);
});

describe('rows with any values', () => {
  const names = [
    ...Object.values(keystoreFields).flat(),
    ...Object.keys(signInFields),
    'verification_id',
    'owner',
    'full_name',
    'authorization_id',
    'create',
  ];
  const canary = fc.oneof(
    fc.stringMatching(/^[!-~]{12,40}$/),
    fc.stringMatching(/^[0-9a-f]{63,65}$/),
    fc.stringMatching(/^[0-9a-f]{128}$/),
    fc.stringMatching(/^[0-9a-f-]{36}$/),
    fc.stringMatching(/^[A-Za-z0-9+/]{43}=$/),
    fc.stringMatching(/^[A-Za-z0-9_-]{86}$/),
    fc.stringMatching(/^scalar:[0-9a-f]{64}$/),
    fc.stringMatching(/^[0-9a-zA-Z]{40}$/).map((text) => `-----BEGIN PRIVATE KEY-----${text}`),
    fc.constant(rsaKeys[0].pkcs1),
  );
  const anything = fc.oneof(
    canary,
    canary.map((text) => ({ [text]: [text] })),
    canary.map((text) => [text]),
  );
  /** All texts in a value, names of fields as well, as an error could quote them. */
  const findTexts = (value: unknown): readonly string[] => {
    if (typeof value === 'object' && value !== null) return Object.entries(value).flat().flatMap(findTexts);
    const text = String(value)
      .replace(/-----[A-Z ]+-----|\s/g, '')
      .toLowerCase();
    return text.length < 12 ? [] : [JSON.stringify(text).slice(1, -1)];
  };
  const fields = fc.dictionary(fc.constantFrom(...names), anything, { minKeys: 1, maxKeys: 8 });

  test('no row error quotes a value of its row', async () => {
    await fc.assert(
      fc.asyncProperty(fields, async (listed) => {
        const text = JSON.stringify(await readErrors(listed)).toLowerCase();
        expect(text.length).toBeGreaterThan(2);
        for (const secret of findTexts(Object.values(listed))) {
          expect(text).not.toContain(secret.slice(0, 12));
          expect(text).not.toContain(secret.slice(-12));
        }
      }),
      { numRuns: 150 },
    );
  });

  test('no row crashes the reader, and every valid row fits the schema', async () => {
    const good = await keystore();
    const odd = fc.oneof(anything, fc.anything({ withBigInt: true, withNullPrototype: true }));
    const more = fc.dictionary(fc.oneof(fc.constantFrom(...names), fc.string()), odd, { maxKeys: 4 });
    await fc.assert(
      fc.asyncProperty(more, async (listed) => {
        const row = await read({ ...good, ...listed });
        if (!row.ok) expect(row.error.length).toBeGreaterThan(0);
        else if ('keystore' in row.value)
          expect(keystoreSchema.parse(row.value.keystore)).toEqual(row.value.keystore);
        else expect.unreachable();
      }),
      { numRuns: 120 },
    );
  });
});

describe('duplicates', () => {
  test('a bot or sign-in counts once; the duplicates say where the first is', async () => {
    const [one, two, code] = [
      await readValid(await keystore()),
      await readValid(await keystore()),
      await readValid(signIn()),
    ];
    const user = await readValid(networkUser());
    const rows = [
      { ...one, row: 1, line: 2 },
      { ...two, row: 2, line: 3 },
      { ...code, row: 3, line: 1, file: 'b.csv' },
      user,
      { ...one, row: 5, line: 5, file: 'c.json' },
      user,
      { ...code, row: 7, line: 9 },
      { ...one, row: 8, line: 9 },
    ];
    const { unique, duplicates } = splitDuplicates(rows);
    expect(unique).toEqual([...rows.slice(0, 4), user]);
    expect(duplicates).toMatchObject([
      { row: 5, line: 5, file: 'c.json', field: 'app_id', code: 'duplicate' },
      { row: 7, line: 9, field: 'verification_id', code: 'duplicate' },
      { row: 8, line: 9, field: 'app_id', code: 'duplicate' },
    ]);
    expect(duplicates.map(({ message }) => message)).toEqual([
      'The same bot is already in row 1 (line 2 of list.csv); that row counts.',
      'The same sign-in is already in row 3 (line 1 of b.csv); that row counts.',
      'The same bot is already in row 1 (line 2 of list.csv); that row counts.',
    ]);
  });

  test('a duplicate is found whatever its id field is called', async () => {
    const { app_id, ...rest } = await keystore();
    const rows = [
      await readValid({ ...rest, app_id }),
      await readValid({ ...rest, user_id: app_id.toUpperCase() }),
    ];
    expect(splitDuplicates(rows).unique).toHaveLength(1);
  });
});

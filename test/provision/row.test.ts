import { randomBytes, randomUUID } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { keystoreSchema } from '../../lib/keystore.ts';
import { isPublicKey, publicKeyOf } from '../../lib/mixin/keys.ts';
import { readRow, splitDuplicates } from '../../lib/provision/row.ts';

const keys = { publicKeyOf, isPublicKey };
const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');
const seed = () => hex(randomBytes(32));
const publicOf = (hexSeed: string) => publicKeyOf(Buffer.from(hexSeed, 'hex'));

const keystore = async () => ({
  app_id: randomUUID() as string,
  session_id: randomUUID() as string,
  server_public_key: await publicOf(seed()),
  session_private_key: seed(),
});

const read = (fields: Readonly<Record<string, unknown>>, line = 7) => readRow({ row: 6, line, fields }, keys);

/** The row; throws where it has errors. */
const rowOf = async (fields: Readonly<Record<string, unknown>>) => {
  const row = await read(fields);
  if ('errors' in row) throw new Error(JSON.stringify(row.errors));
  return row;
};
const errorsOf = async (fields: Readonly<Record<string, unknown>>) => {
  const row = await read(fields);
  return 'errors' in row ? row.errors.map(({ field, code }) => `${field}: ${code}`) : [];
};

describe('a right row', () => {
  test('is its keystore', async () => {
    const listed = { ...(await keystore()), spend_private_key: seed(), tip_private_key: seed() };
    expect(await rowOf(listed)).toMatchObject({ row: 6, line: 7, keystore: listed });
    expect(keystoreSchema.parse((await rowOf(listed)).keystore)).toEqual(listed);
  });

  test('may be written in capitals, with spaces and with fields that nobody reads', async () => {
    const listed = await keystore();
    const shouted = Object.fromEntries(
      Object.entries(listed).map(([name, value]) => [name, ` ${value.toUpperCase()}\n`]),
    );
    expect((await rowOf({ ...shouted, client_id: 'x', pin: 123_456 })).keystore).toEqual(listed);
  });

  test.each([undefined, null, ''])('has no optional key where it stands as %j', async (nothing) => {
    const listed = await keystore();
    const row = await rowOf({ ...listed, spend_private_key: nothing, authorization_id: nothing });
    expect(row.keystore).toEqual(listed);
  });

  test('brings no prototype with it', async () => {
    const listed = await keystore();
    const fields = JSON.parse(
      JSON.stringify({ ...listed, constructor: { prototype: { evil: 1 } } }).replace(
        '{',
        '{"__proto__":{"evil":1},',
      ),
    );
    expect((await rowOf(fields)).keystore).toEqual(listed);
    expect(Object.getPrototypeOf((await rowOf(fields)).keystore)).toBe(Object.prototype);
    expect({}).not.toHaveProperty('evil');
  });

  test('takes nothing from a prototype', async () => {
    expect(await errorsOf(Object.create(await keystore()))).toHaveLength(4);
  });

  test('is one that a chunk can hold: whatever is accepted is a keystore by the schema', async () => {
    const listed = await keystore();
    const uuid = fc.stringMatching(/^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/);
    await fc.assert(
      fc.asyncProperty(uuid, uuid, async (app_id, session_id) => {
        const row = await read({ ...listed, app_id, session_id });
        if ('keystore' in row) expect(keystoreSchema.safeParse(row.keystore).success).toBe(true);
      }),
      { numRuns: 30 },
    );
  });
});

describe('a private key', () => {
  const names = ['session_private_key', 'spend_private_key', 'tip_private_key'] as const;

  test.each(names)('%s may bring its public half, when that is right', async (name) => {
    const listed = await keystore();
    const hexSeed = seed();
    const both = `${hexSeed}${await publicOf(hexSeed)}`;
    expect((await rowOf({ ...listed, [name]: both })).keystore[name]).toBe(hexSeed);
    expect((await rowOf({ ...listed, [name]: both.toUpperCase() })).keystore[name]).toBe(hexSeed);
    expect(await errorsOf({ ...listed, [name]: `${hexSeed}${await publicOf(seed())}` })).toEqual([
      `${name}: invalid_field`,
    ]);
  });

  test.each(names)('%s is 32 bytes of hex and nothing else', async (name) => {
    const listed = await keystore();
    const good = seed();
    const wrong = [good.slice(1), `${good}0`, `0x${good}`, `${good.slice(1)}g`, 7, {}, [good], true, '  '];
    for (const value of wrong)
      expect(await errorsOf({ ...listed, [name]: value })).toEqual([`${name}: invalid_field`]);
  });
});

test('a server key must be a point that PIN encryption can use', async () => {
  const listed = await keystore();
  const neutral = `01${'00'.repeat(31)}`;
  for (const server_public_key of [neutral, 'ff'.repeat(32), '02'.padEnd(64, '0'), 'x', 1])
    expect(await errorsOf({ ...listed, server_public_key })).toEqual(['server_public_key: invalid_field']);
});

describe('a wrong row', () => {
  test('tells all its errors at once, each with line, message and fix', async () => {
    const row = await read(
      {
        app_id: 'x',
        server_public_key: 'y',
        session_private_key: '',
        tip_private_key: 'z',
        authorization_id: 'o',
      },
      12,
    );
    const errors = 'errors' in row ? row.errors : [];
    expect(errors.map(({ field, code }) => [field, code])).toEqual([
      ['app_id', 'invalid_field'],
      ['session_id', 'missing_field'],
      ['server_public_key', 'invalid_field'],
      ['session_private_key', 'missing_field'],
      ['tip_private_key', 'invalid_field'],
      ['authorization_id', 'oauth_keystore'],
    ]);
    for (const error of errors) {
      expect(error.line).toBe(12);
      expect(error.message).toMatch(/\.$/);
      expect(error.fix).toMatch(/\.$/);
    }
  });

  test('an OAuth keystore is refused even where the rest is right', async () => {
    expect(await errorsOf({ ...(await keystore()), authorization_id: randomUUID() })).toEqual([
      'authorization_id: oauth_keystore',
    ]);
  });

  test('never quotes a value', async () => {
    const value = fc.oneof(
      fc.stringMatching(/^[!-~]{12,40}$/),
      fc.stringMatching(/^[0-9a-f]{63,65}$/),
      fc.stringMatching(/^[0-9a-f]{128}$/),
      fc.stringMatching(/^[0-9a-f-]{36}$/),
      fc.stringMatching(/^[!-~]{12,20}$/).map((text) => ({ [text]: text })),
    );
    const fields = fc.record({
      app_id: value,
      session_id: value,
      server_public_key: value,
      session_private_key: value,
      spend_private_key: value,
      tip_private_key: value,
      authorization_id: value,
      other: value,
    });
    await fc.assert(
      fc.asyncProperty(fields, async (listed) => {
        const row = await read(listed);
        const told = JSON.stringify('errors' in row ? row.errors : []).toLowerCase();
        expect(told.length).toBeGreaterThan(2);
        for (const secret of Object.values(listed)) {
          const text = typeof secret === 'string' ? secret : Object.keys(secret).join();
          expect(told).not.toContain(text.toLowerCase());
          expect(told).not.toContain(text.slice(0, 12).toLowerCase());
        }
      }),
      { numRuns: 50 },
    );
  });
});

describe('the listing', () => {
  test('is the same for the same row again, and another for each key or session that changed', async () => {
    const listed = { ...(await keystore()), spend_private_key: seed(), tip_private_key: seed() };
    const { spend_private_key: _, ...withoutSpend } = listed;
    const { tip_private_key: __, ...withoutTip } = listed;
    const swapped = {
      ...listed,
      spend_private_key: listed.tip_private_key,
      tip_private_key: listed.spend_private_key,
    };
    const variants = [
      listed,
      withoutSpend,
      withoutTip,
      swapped,
      { ...listed, session_id: randomUUID() },
      { ...listed, server_public_key: await publicOf(seed()) },
      { ...listed, session_private_key: seed() },
      { ...listed, spend_private_key: seed() },
      { ...listed, tip_private_key: seed() },
    ];
    const listings = await Promise.all(variants.map(async (row) => (await rowOf(row)).listing));
    expect(new Set(listings).size).toBe(variants.length);
    expect((await rowOf({ ...listed, note: 'x' })).listing).toBe(listings[0]);
  });

  test('tells nothing of the keys', async () => {
    const listed = await keystore();
    const { listing } = await rowOf(listed);
    expect(listing).toMatch(/^[0-9a-f]{32}$/);
    for (const value of Object.values(listed)) expect(value).not.toContain(listing);
  });
});

test('the first row of a bot counts; the others are told where it stands', async () => {
  const [one, two] = [await rowOf(await keystore()), await rowOf(await keystore())];
  const rows = [
    { ...one, line: 2 },
    { ...two, line: 3 },
    { ...one, line: 5 },
    { ...one, line: 9 },
  ];
  const { unique, duplicates } = splitDuplicates(rows);
  expect(unique).toEqual(rows.slice(0, 2));
  expect(duplicates).toMatchObject([
    { line: 5, field: 'app_id', code: 'duplicate', message: expect.stringContaining('line 2') },
    { line: 9, code: 'duplicate', message: expect.stringContaining('line 2') },
  ]);
  expect(JSON.stringify(duplicates)).not.toContain(one.keystore.app_id);
});

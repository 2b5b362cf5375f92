import { randomBytes, randomUUID } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { ListFormat } from '../../lib/lists/formats.ts';
import { readList } from '../../lib/lists/list.ts';
import { readRow } from '../../lib/lists/row.ts';
import * as keys from '../../lib/mixin/keys.ts';
import { isRsaKeystore, type Keystore, keystoreSchema, withoutSign } from '../../lib/model/keystore.ts';
import { compression } from '../../lib/runtime/compression.ts';
import {
  type Bot,
  clearSeed,
  doubtfulSeed,
  hex,
  imageOf,
  pinTokenFor,
  type RowFields,
  rsaKeys,
  type Sample,
  sample,
  scalarOf,
  writers,
} from './keystores.ts';
import { zipOf } from './zip.ts';

const { derivePublicKey } = keys;
const seed = () => hex(randomBytes(32));
const base64 = (text: string) => Buffer.from(text, 'hex').toString('base64');
const joinPublicKey = async (of: string) => of + (await derivePublicKey(of));

const read = (fields: RowFields) => readRow({ row: 6, line: 7, fields }, keys);

/** The row of a keystore; throws where it has errors. */
const readValid = async (fields: RowFields) => {
  const row = await read(fields);
  if (!row.ok || !('keystore' in row.value)) throw new Error(JSON.stringify(row));
  return row.value;
};
const readKeystore = async (fields: RowFields) => (await readValid(fields)).keystore;
const readErrors = async (fields: RowFields) => {
  const row = await read(fields);
  return row.ok ? [] : row.error.map(({ field, code }) => `${field}: ${code}`);
};
/** The one error of a row, as field, code and message. */
const readError = async (fields: RowFields) => {
  const row = await read(fields);
  const [error, ...others] = row.ok ? [] : row.error;
  expect(others).toEqual([]);
  return error && { field: error.field, code: error.code, message: error.message };
};

const dashboard = async () => ({
  app_id: randomUUID() as string,
  session_id: randomUUID() as string,
  server_public_key: await derivePublicKey(seed()),
  session_private_key: seed(),
});

const rsaKeystore = (key = rsaKeys[0]) => {
  const session_id = randomUUID();
  return {
    client_id: randomUUID() as string,
    session_id,
    pin_token: pinTokenFor(key, session_id).toString('base64'),
    private_key: key.pkcs1,
  };
};

/** Without the sign of the server key, which older formats do not have. */
const dropSign = (keystore: RowFields): RowFields =>
  typeof keystore.server_public_key === 'string'
    ? { ...keystore, server_public_key: withoutSign(keystore.server_public_key) }
    : keystore;

const asText = (value: unknown) => (typeof value === 'string' ? value : JSON.stringify(value));

const writeCsv = (rows: readonly RowFields[], end: string): string => {
  const columns = [...new Set(rows.flatMap((row) => Object.keys(row)))];
  const cell = (value: unknown) => `"${asText(value ?? '').replaceAll('"', '""')}"`;
  return [columns, ...rows.map((row) => columns.map((name) => row[name]))]
    .map((cells) => cells.map(cell).join(',') + end)
    .join('');
};

type Container = (rows: readonly RowFields[]) => readonly [ListFormat, Uint8Array | string];
const containers: readonly Container[] = [
  (rows) => ['json', `\ufeff${JSON.stringify(rows)}`],
  (rows) => ['json', JSON.stringify(rows, undefined, 2).replaceAll('\n', '\r\n')],
  (rows) => ['jsonl', rows.map((row) => JSON.stringify(row)).join('\n\n')],
  (rows) => ['csv', writeCsv(rows, '\n')],
  (rows) => ['csv', `\ufeff${writeCsv(rows, '\r\n')}`],
  (rows) => ['zip', zipOf(rows.map((row, i) => ({ name: `bots/${i}.json`, text: JSON.stringify(row) })))],
  (rows) => [
    'zip',
    zipOf([
      { name: 'first.csv', text: writeCsv(rows.slice(0, 1), '\n') },
      ...(rows.length > 1
        ? [{ name: 'others.json', text: JSON.stringify(rows.slice(1)), stored: true }]
        : []),
    ]),
  ],
];

describe('keystore formats and list formats', () => {
  const check = async (samples: readonly Sample[], container: Container) => {
    const inputs = await Promise.all(samples.map(({ fields }) => fields));
    const [format, body] = container(inputs);
    const list = await readList(Buffer.from(body as Uint8Array), format, compression);
    if (!list.ok) throw new Error(list.error.code);
    const rows = await Promise.all(list.value.rows.map(({ fields }) => readKeystore(fields)));
    const expected = await Promise.all(samples.map(({ keystore }) => keystore));
    expect(rows.map(dropSign)).toEqual(expected.map(dropSign));
    for (const row of rows) expect(keystoreSchema.parse(row)).toEqual(row);
  };

  test('every keystore format reads back as the same keystore from every list format', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(sample, { minLength: 1, maxLength: 4 }),
        fc.constantFrom(...containers),
        check,
      ),
      { numRuns: 80 },
    );
  });

  test('every format of one keystore has the same digest', async () => {
    const it: Bot = {
      id: randomUUID(),
      session_id: randomUUID(),
      session: seed(),
      server: seed(),
      spend: clearSeed(),
      tip: doubtfulSeed(),
    };
    const how = {
      cased: (text: string) => text.toUpperCase(),
      base64: (bytes: Buffer) => bytes.toString('base64url'),
      isWhole: true,
      isHex: false,
    };
    const rows = await Promise.all(
      Object.values(writers).map(async (write) => readValid(await write(it, how))),
    );
    expect(rows.length).toBe(8);
    expect(new Set(rows.map(({ row_digest }) => row_digest)).size).toBe(1);
  });
});

describe('a keystore of the dashboard', () => {
  test('a keystore of the dashboard is its own normal form', async () => {
    const listed = { ...(await dashboard()), spend_private_key: seed(), tip_private_key: seed() };
    expect(await readValid(listed)).toMatchObject({ row: 6, line: 7, keystore: listed });
  });

  test('a keystore of the dashboard keeps the sign of the server key', async () => {
    const both = await Promise.all(Array.from({ length: 12 }, dashboard));
    for (const listed of both) expect(await readKeystore(listed)).toEqual(listed);
  });

  test('a keystore may be in capitals, with spaces and with unknown fields', async () => {
    const listed = await dashboard();
    const capitals = Object.fromEntries(
      Object.entries(listed).map(([name, value]) => [name, ` ${value.toUpperCase()}\n`]),
    );
    const others = { client_secret: 'x', scope: 'y', name: 7, app_secret: [], mixin_id: {}, full_name: 'z' };
    expect(await readKeystore({ ...capitals, ...others })).toEqual(listed);
  });

  test.each([undefined, null, '', ' \n'])(
    'a keystore has no optional key when its value is %j',
    async (nothing) => {
      const listed = await dashboard();
      const row = await readValid({
        ...listed,
        spend_private_key: nothing,
        pin: nothing,
        authorization_id: nothing,
        verification_id: nothing,
        owner: nothing,
      });
      expect(row.keystore).toEqual(listed);
    },
  );

  test('a keystore has no prototype of its row, and no field of one', async () => {
    const listed = await dashboard();
    const fields = JSON.parse(
      JSON.stringify(listed).replace('{', '{"__proto__":{"evil":1},"constructor":1,'),
    );
    const keystore = await readKeystore(fields);
    expect(keystore).toEqual(listed);
    expect(Object.getPrototypeOf(keystore)).toBe(Object.prototype);
    expect({}).not.toHaveProperty('evil');
    expect(await readErrors(Object.create(listed))).toEqual(['(row): no_known_field']);
  });
});

describe('the ids', () => {
  const says = 'name different accounts';
  test.each([
    ['app_id', 'client_id'],
    ['app_id', 'user_id'],
    ['client_id', 'user_id'],
  ])('%s and %s may both be given, and must agree', async (one, other) => {
    const { app_id, ...rest } = await dashboard();
    const fields = { ...rest, [one]: app_id, [other]: app_id.toUpperCase() };
    expect((await readKeystore(fields)).app_id).toBe(app_id);
    expect(await readError({ ...fields, [other]: randomUUID() })).toEqual({
      field: other,
      code: 'contradiction',
      message: `${one} and ${other} ${says}.`,
    });
    expect(await readErrors({ ...fields, [other]: 'x' })).toEqual([`${other}: invalid_field`]);
  });
});

describe('the session key', () => {
  test('a session key is read in every encoding', async () => {
    const listed = await dashboard();
    const whole = await joinPublicKey(listed.session_private_key);
    for (const name of ['session_private_key', 'private_key']) {
      const { session_private_key: it, ...rest } = listed;
      for (const text of [
        it,
        whole,
        `0x${it}`,
        `0X${whole.toUpperCase()}`,
        base64(it),
        base64(whole),
        base64(it).replace('=', ''),
      ]) {
        expect(await readKeystore({ ...rest, [name]: text })).toEqual(listed);
      }
    }
  });

  test('a session key is 32 or 64 whole bytes and nothing else, whatever its name', async () => {
    const listed = await dashboard();
    const good = seed();
    const whole = good + (await derivePublicKey(seed()));
    const wrong = [
      good.slice(1),
      `${good}0`,
      `${good.slice(1)}g`,
      7,
      {},
      [good],
      true,
      whole,
      base64(whole),
      base64(good).slice(0, -2),
      `${base64(good)}=`,
      `+_${base64(good).slice(2)}`,
      // A bit that no byte has room for.
      `${base64('00'.repeat(32)).slice(0, 42)}B=`,
      'x'.repeat(5_000_000),
    ];
    const names = [
      'session_private_key',
      'private_key',
      'spend_private_key',
      'spend_key',
      'safe_key',
      'tip_private_key',
      'pin',
    ];
    for (const name of names) {
      for (const value of wrong)
        expect(await readErrors({ ...listed, [name]: value }), name).toEqual([`${name}: invalid_field`]);
    }
  });

  test('a session key may be under both names, and must be the same', async () => {
    const listed = await dashboard();
    const private_key = base64(await joinPublicKey(listed.session_private_key));
    expect(await readKeystore({ ...listed, private_key })).toEqual(listed);
    expect(await readError({ ...listed, private_key: seed() })).toEqual({
      field: 'private_key',
      code: 'contradiction',
      message: 'session_private_key and private_key are different keys.',
    });
    expect(await readErrors({ ...listed, private_key: rsaKeys[0].pkcs1 })).toEqual([
      'private_key: contradiction',
    ]);
  });
});

describe('the server key', () => {
  test('a server key may be given as a point and as its image, which must agree', async () => {
    const listed = await dashboard();
    const image = imageOf(listed.server_public_key);
    const pin_token = base64(image);
    for (const more of [
      { pin_token },
      { pin_token_base64: pin_token },
      { pin_token: listed.server_public_key },
      { pin_token, pin_token_base64: base64(image).replace('=', '') },
    ]) {
      expect(await readKeystore({ ...listed, ...more })).toEqual(listed);
    }
    const { server_public_key, ...rest } = listed;
    const point = await readKeystore({ ...rest, pin_token_base64: pin_token, pin_token: server_public_key });
    expect(point).toEqual(listed);
    const otherKey = base64(imageOf(await derivePublicKey(seed())));
    expect(await readError({ ...listed, pin_token: otherKey })).toEqual({
      field: 'pin_token',
      code: 'contradiction',
      message: 'server_public_key and pin_token are not of the same session.',
    });
  });

  test('a server key of an older keystore is that of the vectors', async () => {
    const { server_public_key: _, ...rest } = await dashboard();
    // V5 of the vectors: made with the official SDK.
    const pin_token_base64 = 'VzCACrNA_LGM5REe2p1wX5E4i0HkVEy9EDullC2yIz4';
    expect(await readKeystore({ ...rest, pin_token_base64 })).toMatchObject({
      server_public_key: withoutSign('29acbae141bccaf0b22e1a94d34d0bc7361e526d0bfe12c89794bc9322966dd7'),
    });
  });

  test('a server key must be one that PIN encryption can use', async () => {
    const { server_public_key, ...rest } = await dashboard();
    const neutral = `01${'00'.repeat(31)}`;
    for (const name of ['server_public_key', 'pin_token', 'pin_token_base64'])
      for (const value of [neutral, 'ff'.repeat(32), '02'.padEnd(64, '0'), 'x', 1, base64('00'.repeat(32))])
        expect(await readErrors({ ...rest, [name]: value })).toEqual([`${name}: invalid_field`]);
    // As the Ruby SDK writes it: the image, in base64, under the newer name.
    const image = base64(imageOf(server_public_key));
    const listed = await readKeystore({ ...rest, server_public_key: image });
    expect(listed).toMatchObject({ server_public_key: withoutSign(server_public_key) });
  });
});

describe('an RSA session', () => {
  test.each(rsaKeys)(
    'an RSA session key of any usual size and form is stored in its normal form',
    async (key) => {
      const listed = rsaKeystore(key);
      const { client_id: app_id, ...rest } = listed;
      for (const private_key of [key.pkcs1, key.pkcs8, key.pkcs8.replaceAll('\n', '\\r\\n')])
        expect(await readKeystore({ ...listed, private_key })).toEqual({ app_id, ...rest });
      const url = Buffer.from(listed.pin_token, 'base64').toString('base64url');
      expect(await readKeystore({ ...listed, pin_token_base64: url })).toEqual({ app_id, ...rest });
    },
  );

  test('an RSA session needs the pin_token of its key and its session id', async () => {
    const listed = rsaKeystore();
    const message = 'private_key and pin_token do not belong together.';
    const wrong = { field: 'pin_token', code: 'contradiction', message };
    expect(await readError({ ...listed, pin_token: rsaKeystore().pin_token })).toEqual(wrong);
    expect(await readError({ ...listed, session_id: randomUUID() })).toEqual(wrong);
    expect(await readError({ ...listed, private_key: rsaKeys[1].pkcs1 })).toEqual(wrong);
    const { pin_token, ...rest } = listed;
    expect(await readError(rest)).toMatchObject({ field: 'pin_token', code: 'missing_field' });
    expect(await readErrors({ ...listed, pin_token: pin_token.slice(4) })).toEqual([
      'pin_token: contradiction',
    ]);
    expect(await readErrors({ ...listed, pin_token: base64('00'.repeat(600)) })).toEqual([
      'pin_token: invalid_field',
    ]);
  });

  test('parts of an RSA and of an Ed25519 session do not mix', async () => {
    const [listed, other] = [rsaKeystore(), await dashboard()];
    const { pin_token: _, ...rest } = listed;
    const says = 'are of an RSA and of an Ed25519 session';
    expect(await readError({ ...rest, server_public_key: other.server_public_key })).toEqual({
      field: 'server_public_key',
      code: 'contradiction',
      message: `private_key and server_public_key ${says}.`,
    });
    const { server_public_key: __, ...rest2 } = other;
    expect(await readError({ ...rest2, pin_token: listed.pin_token })).toMatchObject({
      field: 'pin_token',
      message: `session_private_key and pin_token ${says}.`,
    });
    expect(await readErrors({ ...listed, server_public_key: other.server_public_key })).toEqual([
      'pin_token: contradiction',
    ]);
  });

  test('an RSA session key must be whole and without a password', async () => {
    const { pkcs1 } = rsaKeys[0];
    const encrypted = pkcs1.replace('\n', '\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\n');
    const wrong = [
      pkcs1.slice(0, 200),
      pkcs1.replace(/\n[^\n]+\n-----END/, '\n-----END'),
      encrypted,
      '-----BEGIN ',
      `-----BEGIN EC PRIVATE KEY-----${'A'.repeat(400)}-----END EC PRIVATE KEY-----`,
      `-----BEGIN PRIVATE KEY-----\n${'A'.repeat(400)}\n-----END PRIVATE KEY-----`,
      `-----BEGIN PRIVATE KEY-----\n${'A'.repeat(15_000)}\n-----END PRIVATE KEY-----`,
      '-----BEGIN PRIVATE KEY-----'.repeat(600),
    ];
    for (const private_key of wrong)
      expect(await readErrors({ ...rsaKeystore(), private_key })).toEqual(['private_key: invalid_field']);
  });
});

describe('seed or scalar', () => {
  const readSpendKey = async (fields: RowFields) => {
    const { spend_private_key, spend_key } = await readKeystore({ ...(await dashboard()), ...fields });
    return { spend_private_key, spend_key };
  };
  const seedIs = (spend_private_key: string) => ({ spend_private_key, spend_key: undefined });
  const undecided = (spend_key: string) => ({ spend_private_key: undefined, spend_key });

  test.each(['spend_key', 'safe_key'])('a %s that could be seed or scalar stays open', async (name) => {
    const doubtful = doubtfulSeed();
    expect(await readSpendKey({ [name]: doubtful })).toEqual(undecided(doubtful));
    expect(await readSpendKey({ [name]: base64(doubtful) })).toEqual(undecided(doubtful));
    expect(await readSpendKey({ [name]: await joinPublicKey(doubtful) })).toEqual(seedIs(doubtful));
    const clear = clearSeed();
    expect(await readSpendKey({ [name]: clear.toUpperCase() })).toEqual(seedIs(clear));
  });

  test('spend_private_key is a seed, or a scalar with its mark', async () => {
    const doubtful = doubtfulSeed();
    expect(await readSpendKey({ spend_private_key: doubtful })).toEqual(seedIs(doubtful));
    const scalar = `scalar:${scalarOf(seed())}`;
    expect(await readSpendKey({ spend_private_key: scalar })).toEqual(seedIs(scalar));
    for (const wrong of ['scalar:', `scalar:${clearSeed()}`, `scalar:${doubtful}00`])
      expect(await readErrors({ ...(await dashboard()), spend_private_key: wrong })).toEqual([
        'spend_private_key: invalid_field',
      ]);
  });

  test('two forms of one key show which it is', async () => {
    const it = clearSeed();
    const scalar = scalarOf(it);
    expect(await derivePublicKey(`scalar:${scalar}`)).toBe(await derivePublicKey(it));
    expect(await readSpendKey({ spend_private_key: it, spend_key: scalar })).toEqual(seedIs(it));
    expect(await readSpendKey({ spend_key: scalar, safe_key: await joinPublicKey(it) })).toEqual(seedIs(it));
    const whole = seedIs(`scalar:${scalar}`);
    expect(await readSpendKey({ spend_private_key: `scalar:${scalar}`, safe_key: scalar })).toEqual(whole);
    expect(await readSpendKey({ spend_key: scalar, safe_key: base64(scalar) })).toEqual(undecided(scalar));
    const doubtful = doubtfulSeed();
    expect(await readSpendKey({ spend_key: doubtful, spend_private_key: doubtful })).toEqual(
      seedIs(doubtful),
    );
  });

  test.each([
    ['spend_private_key', 'spend_key'],
    ['spend_private_key', 'safe_key'],
    ['spend_key', 'safe_key'],
  ])('the keys %s and %s must agree', async (one, other) => {
    const listed = await dashboard();
    for (const value of [clearSeed(), doubtfulSeed()])
      expect(await readError({ ...listed, [one]: clearSeed(), [other]: value })).toEqual({
        field: other,
        code: 'contradiction',
        message: `${one} and ${other} are different keys.`,
      });
  });

  test('the session key may be the spend key and the TIP key', async () => {
    const listed = await dashboard();
    const key = listed.session_private_key;
    const all = { ...listed, spend_private_key: key, tip_private_key: key };
    expect(await readKeystore(all)).toEqual(all);
  });
});

describe('the PIN', () => {
  const readPin = async (fields: RowFields) => {
    const { pin, tip_private_key } = await readKeystore({ ...(await dashboard()), ...fields });
    return pin ?? tip_private_key;
  };

  test.each([
    ['123456', '123456'],
    [' 000000 ', '000000'],
    [123456, '123456'],
    // What Mixin's own SDKs must be given for six digits.
    ['303132333435', '012345'],
  ])('the PIN %j is six digits', async (pin, digits) => expect(await readPin({ pin })).toBe(digits));

  test.each(['12345', 12_345, 1.5, '1234567', '12345a', '１２３４５６', true, [123456]])(
    'the PIN %j is neither digits nor a key',
    async (pin) => expect(await readErrors({ ...(await dashboard()), pin })).toEqual(['pin: invalid_field']),
  );

  test('a PIN may be the key of a TIP PIN, under either name or both', async () => {
    for (const key of [clearSeed(), doubtfulSeed()]) {
      const whole = await joinPublicKey(key);
      for (const text of [key, key.toUpperCase(), whole, base64(key), base64(whole)]) {
        expect(await readPin({ pin: text })).toBe(key);
        expect(await readPin({ tip_private_key: text, pin: key })).toBe(key);
      }
    }
    const it = clearSeed();
    expect(await readPin({ pin: it, tip_private_key: scalarOf(it) })).toBe(it);
  });

  test('a row has one PIN: not two keys, and not digits beside a key', async () => {
    const listed = { ...(await dashboard()), tip_private_key: clearSeed() };
    expect(await readError({ ...listed, pin: clearSeed() })).toEqual({
      field: 'pin',
      code: 'contradiction',
      message: 'tip_private_key and pin are different keys.',
    });
    expect(await readError({ ...listed, pin: '123456' })).toEqual({
      field: 'pin',
      code: 'contradiction',
      message: 'tip_private_key and pin are a TIP PIN and a six-digit PIN.',
    });
    expect(await readErrors({ ...(await dashboard()), tip_private_key: '123456' })).toEqual([
      'tip_private_key: invalid_field',
    ]);
  });
});

describe('an invalid keystore', () => {
  test('an invalid keystore reports all its errors at once, each with place, message and fix', async () => {
    const raw = { row: 3, line: 12, file: 'a.json' };
    const fields = {
      user_id: 'x',
      server_public_key: 'y',
      private_key: ' ',
      safe_key: 'z',
      pin: '1',
      authorization_id: 'o',
    };
    const row = await readRow({ ...raw, fields }, keys);
    const errors = row.ok ? [] : row.error;
    expect(errors.map(({ field, code }) => [field, code])).toEqual([
      ['user_id', 'invalid_field'],
      ['server_public_key', 'invalid_field'],
      ['safe_key', 'invalid_field'],
      ['pin', 'invalid_field'],
      ['session_id', 'missing_field'],
      ['session_private_key', 'missing_field'],
      ['authorization_id', 'oauth_keystore'],
    ]);
    for (const error of errors) {
      expect(error).toMatchObject(raw);
      expect(error.message).toMatch(/\.$/);
      expect(error.fix).toMatch(/\.$/);
    }
  });

  test('the error of a missing field gives all its names', async () => {
    const row = await read({ label: 'x', note: 'y' });
    const text = row.ok ? '' : row.error.map(({ field, fix }) => `${field}: ${fix}`).join('\n');
    expect(text).toMatch(/app_id: .*app_id, client_id or user_id/);
    expect(text).toMatch(/session_private_key: .*session_private_key, private_key or session_seed/);
    expect(text).toMatch(/server_public_key: .*server_public_key, pin_token_base64 or pin_token/);
  });

  test('a keystore of OAuth is refused even where the rest is valid', async () => {
    const authorization_id = randomUUID();
    expect(await readErrors({ ...(await dashboard()), authorization_id })).toEqual([
      'authorization_id: oauth_keystore',
    ]);
  });
});

describe('the digest', () => {
  test('a digest changes with each key and session', async () => {
    const listed = { ...(await dashboard()), spend_private_key: seed(), tip_private_key: seed() };
    const { spend_private_key, ...withoutSpend } = listed;
    const { tip_private_key, ...withoutTip } = listed;
    const swapped = { ...listed, spend_private_key: tip_private_key, tip_private_key: spend_private_key };
    const doubtful = doubtfulSeed();
    const variants: RowFields[] = [
      listed,
      withoutSpend,
      withoutTip,
      swapped,
      { ...withoutTip, pin: '123456' },
      { ...withoutSpend, spend_key: doubtful },
      { ...withoutSpend, spend_private_key: doubtful },
      { ...listed, session_id: randomUUID() },
      { ...listed, server_public_key: await derivePublicKey(seed()) },
      { ...listed, session_private_key: seed() },
      { ...listed, spend_private_key: seed() },
      { ...listed, tip_private_key: seed() },
      rsaKeystore(),
      rsaKeystore(),
    ];
    const digests = await Promise.all(variants.map(async (row) => (await readValid(row)).row_digest));
    expect(new Set(digests).size).toBe(variants.length);
    expect((await readValid({ ...listed, note: 'x' })).row_digest).toBe(digests[0]);
  });

  test('a digest shows nothing of the digits of a PIN', async () => {
    const listed = await dashboard();
    const [one, other] = [
      await readValid({ ...listed, pin: '000000' }),
      await readValid({ ...listed, pin: '999999' }),
    ];
    expect(one.row_digest).toBe(other.row_digest);
    expect(one.row_digest).not.toBe((await readValid(listed)).row_digest);
  });

  test('a digest is the same for a scalar and its seed, and for both forms of an RSA key', async () => {
    const [listed, it] = [await dashboard(), clearSeed()];
    const scalar = `scalar:${scalarOf(it)}`;
    const [one, other] = [
      await readValid({ ...listed, spend_private_key: it }),
      await readValid({ ...listed, spend_private_key: scalar }),
    ];
    expect(one.row_digest).toBe(other.row_digest);
    const rsa = rsaKeystore();
    const pkcs8 = await readValid({ ...rsa, private_key: rsaKeys[0].pkcs8 });
    expect(pkcs8.row_digest).toBe((await readValid(rsa)).row_digest);
    expect(pkcs8.row_digest).toMatch(/^[0-9a-f]{32}$/);
  });
});

test('a keystore from the vault can be listed again', async () => {
  const it = {
    ...(await dashboard()),
    spend_private_key: `scalar:${scalarOf(seed())}`,
    tip_private_key: seed(),
  };
  expect(await readKeystore(it)).toEqual(it);
  const rsa: Keystore = await readKeystore({ ...rsaKeystore(), spend_key: doubtfulSeed(), pin: '111111' });
  expect(isRsaKeystore(rsa)).toBe(true);
  expect(await readKeystore(rsa)).toEqual(rsa);
});

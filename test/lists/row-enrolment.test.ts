import { randomUUID } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { readRow } from '../../lib/lists/row.ts';
import { readSignIn } from '../../lib/lists/row-enrolment.ts';
import * as keys from '../../lib/mixin/keys.ts';
import { mixin } from '../../lib/model/mixin.ts';
import type { RowFields } from './keystores.ts';

const readValid = (fields: RowFields) => {
  const read = readSignIn({ code: '1234', ...fields });
  if (!read.ok) throw new Error(JSON.stringify(read.error));
  return read.value;
};
const readErrors = (fields: RowFields) => {
  const read = readSignIn({ code: '1234', ...fields });
  return read.ok ? [] : read.error.map(({ field, code }) => `${field}: ${code}`);
};

describe('a sign-in', () => {
  test('a sign-in needs a code alone; the rest has the defaults of lib/model/mixin.ts', () => {
    const defaults = { session_key: 'ed25519', purpose: 'SESSION', ...mixin.device };
    expect(readValid({})).toEqual({ code: '1234', ...defaults });
    expect(readValid({ platform: '', device_id: null, verification_id: 'x', other: 'y' })).toEqual(
      readValid({}),
    );
  });

  test('a sign-in may give every field', () => {
    const device_id = randomUUID() as string;
    const signIn = {
      code: '00123456',
      session_key: 'rsa',
      device_id,
      platform: 'iOS',
      platform_version: '11.0',
      app_version: '0.2.11 (beta-1)',
      package_name: 'one.mixin.ios-messenger',
      notification_token: 'APA91b:x_y-z',
      purpose: 'SESSION',
      registration_id: 2_147_483_647,
    };
    expect(readValid(signIn)).toEqual(signIn);
    const capitals = {
      platform: 'IOS',
      session_key: ' RSA ',
      purpose: 'session',
      device_id: device_id.toUpperCase(),
    };
    expect(readValid({ ...signIn, ...capitals })).toEqual(signIn);
  });

  test('a sign-in may have numbers as text and text as numbers, as CSV and JSON do', () => {
    expect(readValid({ code: 9718, registration_id: '3702' })).toMatchObject({
      code: '9718',
      registration_id: 3702,
    });
  });

  const long = 'x'.repeat(5_000);
  test.each([
    ['code', ['123', '123456789', '12a4', '１２３４', 123, 12.5, -1234, {}, long]],
    ['session_key', ['ed25519x', 'ecdsa', true]],
    ['device_id', ['x', 'a'.repeat(36), 7]],
    ['platform', ['Andoird', 'Desktop', 'windows', 1]],
    ['platform_version', ['<11>', '11\n0', 11, '9'.repeat(65)]],
    ['app_version', ['-1', 'a\u0000', [], long]],
    ['package_name', ['messenger', 'one..mixin', 'one.mixin/x', long]],
    ['notification_token', ['two words', 'a\u0000b', 'é', 5, long]],
    ['purpose', ['PHONE', 'DEACTIVATED', 'ANONYMOUS_SESSION', 'NONE', 0]],
    ['registration_id', [0, -1, 1.5, 2 ** 31, '0', '1e3', '99999999999', true]],
  ])('a sign-in with an invalid %s is refused', (field, values) => {
    for (const value of values) expect(readErrors({ [field]: value })).toEqual([`${field}: invalid_field`]);
  });

  test('a sign-in reports all its errors at once, each with a fix', () => {
    const read = readSignIn({ platform: 'Andoird', purpose: 'PHONE', code: ' ' });
    const errors = read.ok ? [] : read.error;
    expect(errors.map(({ field, code }) => [field, code])).toEqual([
      ['platform', 'invalid_field'],
      ['purpose', 'invalid_field'],
      ['code', 'missing_field'],
    ]);
    expect(errors[0]?.fix).toContain('iOS or Android');
    for (const { message, fix } of errors) expect(`${message} ${fix}`).toMatch(/\. [A-Z].*\.$/);
  });

  test('a sign-in in a row needs its verification_id too', async () => {
    const readRowErrors = async (fields: RowFields) => {
      const row = await readRow({ row: 1, line: 1, fields }, keys);
      return row.ok ? [] : row.error.map(({ field, code }) => `${field}: ${code}`);
    };
    const verification_id = randomUUID();
    expect(await readRowErrors({ verification_id })).toEqual(['code: missing_field']);
    expect(await readRowErrors({ code: '1234' })).toEqual(['verification_id: missing_field']);
    expect(await readRowErrors({ code: '1', verification_id: 'x' })).toEqual([
      'verification_id: invalid_field',
      'code: invalid_field',
    ]);
    expect(await readRowErrors({ code: '1234', verification_id })).toEqual([]);
  });
});

describe('a network user', () => {
  const owner = randomUUID();
  const read = async (fields: RowFields) => {
    const row = await readRow({ row: 1, line: 1, fields: { owner, ...fields } }, keys);
    if (!row.ok) return row.error.map(({ field, code }) => `${field}: ${code}`);
    const { value } = row;
    return 'enrolment' in value && 'full_name' in value.enrolment ? value.enrolment.full_name : undefined;
  };

  test.each(['x', '名'.repeat(128), '👩‍🚀 1', '=HYPERLINK("http://x")', "Robert'); DROP"])(
    'a network user may be called %s',
    async (full_name) => expect(await read({ full_name })).toBe(full_name),
  );

  test.each(['x'.repeat(129), 'a\nb', 'a\u0000b', '\u2028x\u2029y', '\ud800', 7, {}])(
    'a network user cannot be called %j',
    async (full_name) => expect(await read({ full_name })).toEqual(['full_name: invalid_field']),
  );

  test('a network user needs a name and an owner', async () => {
    expect(await read({})).toEqual(['full_name: missing_field']);
    expect(await read({ full_name: ' ', owner: 'x' })).toEqual([
      'owner: invalid_field',
      'full_name: missing_field',
    ]);
  });
});

/** The search itself: what it must find, and what it must not mistake for a secret. */
import { createHash, generateKeyPairSync, randomBytes, randomUUID } from 'node:crypto';
import { inspect } from 'node:util';
import { expect, test } from 'vitest';
import { createCanaries } from './canaries.ts';

const key = randomBytes(32).toString('hex');
const bytes = Buffer.from(key, 'hex');
const pem = generateKeyPairSync('rsa', { modulusLength: 1024 })
  .privateKey.export({ type: 'pkcs1', format: 'pem' })
  .toString();
const token = `${randomBytes(20).toString('base64url')}:${randomBytes(20).toString('base64url')}`;
const PHONE = '+8613800009407';
const [PIN, CODE] = ['073046', '0731'];
const { find } = createCanaries([key, pem, token, PHONE], [PIN, CODE]);
const line = pem.split('\n')[4] ?? '';

test.each<[string, string]>([
  ['a key', key],
  ['a key in capitals', key.toUpperCase()],
  ['a part of a key', `Unexpected token 'x', ..."${key.slice(20, 34)}"... is not valid JSON`],
  ['a key in base64', bytes.toString('base64')],
  ['a key in base64url', bytes.toString('base64url')],
  ['a key as a Buffer in JSON', JSON.stringify(bytes)],
  ['a key as inspected', inspect(bytes)],
  ['a key as an inspected array', inspect(new Uint8Array(bytes))],
  ['the text of a key in hex', Buffer.from(key).toString('hex')],
  ['a key in JSON in base64', Buffer.from(JSON.stringify({ a: 1, key })).toString('base64')],
  ['a key in JSON in base64, one byte later', Buffer.from(JSON.stringify({ ab: 1, key })).toString('base64')],
  [
    'a key in JSON in base64, two bytes later',
    Buffer.from(JSON.stringify({ abc: 1, key })).toString('base64url'),
  ],
  ['a key in JSON in JSON', JSON.stringify(JSON.stringify({ key }))],
  ['a PEM', pem],
  ['a PEM in JSON', JSON.stringify({ pem })],
  ['a PEM in a URL', encodeURIComponent(pem)],
  ['one line of a PEM', line],
  ['the bytes of a PEM', Buffer.from(line, 'base64').toString('hex')],
  ['a token', JSON.stringify({ token })],
  ['a token in a URL', encodeURIComponent(token)],
  ['a phone number', `the phone ${PHONE} was used`],
  ['a phone number without its plus', PHONE.slice(1)],
  ['a PIN in JSON', JSON.stringify({ pin: PIN })],
  ['a PIN in JSON in JSON', JSON.stringify(JSON.stringify({ pin: PIN }))],
  ['a PIN in a sentence', `the PIN ${PIN} is wrong`],
  ['a PIN in JSON in hex', Buffer.from(JSON.stringify({ pin: PIN })).toString('hex')],
  ['a PIN in JSON in base64', Buffer.from(JSON.stringify({ pin: PIN })).toString('base64')],
  ['a code in JSON', JSON.stringify({ code: CODE })],
  ['a code in a sentence', `the code ${CODE} was refused`],
])('the search for secrets finds %s', (_name, text) => {
  expect(find(`before ${text} after`)).not.toEqual([]);
  expect(find(`before ${text} after`).join()).not.toContain(key);
});

/** 300 keys that are the same in each run. */
const seededKeys = Array.from({ length: 300 }, (_, i) => createHash('sha256').update(`key ${i}`).digest());

const toArrayBuffer = (bytes: Buffer): ArrayBuffer => new Uint8Array(bytes).buffer;
/** More than the inspector shows: it cuts arrays after 100 elements and buffers after 50 bytes. */
const addTail = (bytes: Buffer): Buffer => Buffer.concat([bytes, Buffer.alloc(200)]);

test.each<[string, (bytes: Buffer) => string]>([
  ['a Buffer', (bytes) => inspect(bytes)],
  ['a Buffer that is cut off', (bytes) => inspect(addTail(bytes))],
  ['a Buffer inside an object', (bytes) => inspect({ error: { key: bytes } })],
  ['a Buffer with inspect.custom switched off', (bytes) => inspect(bytes, { customInspect: false })],
  ['a Uint8Array', (bytes) => inspect(new Uint8Array(bytes))],
  ['a Uint8Array that is cut off', (bytes) => inspect(new Uint8Array(addTail(bytes)))],
  ['a Uint8Array on one line', (bytes) => inspect(new Uint8Array(bytes), { breakLength: Infinity })],
  ['a Uint8Array with one number a line', (bytes) => inspect(new Uint8Array(bytes), { compact: false })],
  [
    'a Uint8Array deep in an object',
    (bytes) => inspect({ a: { b: { c: new Uint8Array(bytes) } } }, { depth: 5 }),
  ],
  ['an Int8Array', (bytes) => inspect(new Int8Array(bytes))],
  ['an array of numbers', (bytes) => inspect([...bytes])],
  ['an array of numbers between others', (bytes) => inspect([...Buffer.alloc(30), ...bytes])],
  ['an ArrayBuffer', (bytes) => inspect(toArrayBuffer(bytes))],
  ['a DataView', (bytes) => inspect(new DataView(toArrayBuffer(bytes)))],
  ['JSON of a Buffer', (bytes) => JSON.stringify(bytes)],
  ['JSON of a Buffer over many lines', (bytes) => JSON.stringify({ key: bytes }, undefined, 2)],
  ['JSON of a Uint8Array', (bytes) => JSON.stringify(new Uint8Array(bytes))],
  ['JSON of an array of numbers', (bytes) => JSON.stringify([...bytes])],
  ['bytes in hex between colons', (bytes) => (bytes.toString('hex').match(/../g) ?? []).join(':')],
])('the search for secrets finds each of 300 keys as %s', (_name, print) => {
  const missed = seededKeys.filter(
    (bytes) => createCanaries([bytes.toString('hex')], []).find(print(bytes)).length === 0,
  );
  expect(missed.map((bytes) => print(bytes))).toEqual([]);
});

test('the search for secrets does not find ids, times, numbers and other keys', () => {
  const others = Array.from({ length: 2_000 }, () => ({
    id: randomUUID(),
    key: randomBytes(32).toString('hex'),
    at: new Date().toISOString(),
    iterator: `${Date.now()}073046${CODE}`,
    ms: Date.now(),
    hex: Buffer.from(`bot#${randomUUID()}${PIN}`).toString('hex'),
    cursor: Buffer.from(JSON.stringify({ id: randomUUID(), n: 73_046 })).toString('base64url'),
  }));
  expect(find(JSON.stringify(others))).toEqual([]);
  expect(find(`2026-${PIN}-${CODE} 10:${CODE}.5`)).toEqual([]);
});

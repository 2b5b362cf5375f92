import { describe, expect, test } from 'vitest';
import { readVerification } from '../../lib/mixin/verification.ts';
import { vectors } from './vectors.ts';

const { request_id, user_id, session_id } = vectors.inputs;
const answer = {
  type: 'verification',
  id: user_id,
  has_emergency_contact: false,
  contact_id: '',
  deactivation_requested_at: '',
  deactivation_effective_at: '',
};
const read = (more: Readonly<Record<string, unknown>> = {}) =>
  readVerification({ data: { ...answer, ...more }, request_id });

test('the answer to a request for a code is read', () => {
  expect(read()).toEqual({ verification_id: user_id, has_emergency_contact: false, request_id });
});

test('the deletion of an account and its emergency contact are read', () => {
  expect(
    read({
      id: user_id.toUpperCase(),
      has_emergency_contact: true,
      contact_id: session_id.toUpperCase(),
      deactivation_requested_at: '2026-11-01T00:00:00.123456789Z',
      deactivation_effective_at: '2026-12-01T00:00:00+08:00',
    }),
  ).toEqual({
    verification_id: user_id,
    has_emergency_contact: true,
    contact_id: session_id,
    deactivation_requested_at: '2026-11-01T00:00:00.123Z',
    deactivation_effective_at: '2026-11-30T16:00:00.000Z',
    request_id,
  });
});

test.each(['', '0001-01-01T00:00:00Z', null, undefined])('the date %j means no deletion', (date) => {
  const verification = read({ deactivation_requested_at: date, deactivation_effective_at: date });
  expect(Object.keys(verification)).toEqual(['verification_id', 'has_emergency_contact', 'request_id']);
});

test('an older answer with nothing but an id is read', () => {
  expect(readVerification({ data: { id: user_id }, request_id })).toEqual({
    verification_id: user_id,
    has_emergency_contact: false,
    request_id,
  });
});

describe('invalid answers', () => {
  test.each([
    ['no id', { id: undefined }],
    ['an id that is not a UUID', { id: '../users' }],
    ['an id with more behind it', { id: `${user_id}/CANARY` }],
    ['a deletion at a time that cannot be read', { deactivation_effective_at: 'CANARY' }],
    ['a deletion as a number', { deactivation_effective_at: 1_700_000_000 }],
    ['a contact id that is not a UUID', { contact_id: 'CANARY' }],
    ['a contact as text', { has_emergency_contact: 'true' }],
  ])('the answer to a request for a code is refused: %s', (_, more) => {
    const broken = { name: 'MixinError', code: 'broken_answer', verdict: 'unsure', request_id };
    expect(() => read(more)).toThrow(expect.objectContaining(broken));
    expect(() => read(more)).toThrow(/^(?!.*CANARY)/s);
  });

  test.each([[[answer]], ['text'], [7]])('%j is not an answer to a request for a code', (data) => {
    expect(() => readVerification({ data, request_id })).toThrow(
      expect.objectContaining({ code: 'broken_answer' }),
    );
  });
});

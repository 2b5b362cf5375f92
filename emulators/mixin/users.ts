/** GET /safe/me, GET /me, GET /logs, POST /users and GET /safe/apps/:id/billing. */
import { randomUUID } from 'node:crypto';
import { asReadersSee, newAccount } from './accounts.ts';
import { invalidField, Refusal, userObject } from './answers.ts';
import { type Outcome, readFields, textField, type Visit } from './call.ts';
import { newSession, sessionKeyFrom } from './sessions.ts';

/** developers.mixin.one, network users: USD, once for each. */
const PRICE_OF_A_USER = 0.5;

export const readMe = ({ account, settings, nowMs }: Visit): Outcome => ({
  data: userObject(asReadersSee(account, nowMs), settings.tells_spend_key),
});

/** Newest first; the category PIN_INCORRECT is the only one that is kept. */
export const readLogs = ({ account, call }: Visit): Outcome => {
  const asked = call.query.get('limit') ?? '100';
  const limit = Number(asked);
  if (!/^\d{1,3}$/.test(asked) || limit < 1 || limit > 500)
    throw invalidField('limit', 'not within 1 and 500');
  const errors = call.query.get('category') === 'PIN_INCORRECT' ? account.pin_errors.toReversed() : [];
  return {
    data: errors.slice(0, limit).map(({ log_id, at }) => ({
      type: 'log',
      log_id,
      code: 'PIN_INCORRECT',
      ip_address: '127.0.0.1',
      created_at: new Date(at).toISOString(),
    })),
  };
};

/** Makes a network user. As with Mixin there is no idempotency key: sent twice, it makes two. */
export const createNetworkUser = ({ account, accounts, call, settings, nowMs }: Visit): Outcome => {
  if (account.kind !== 'app') throw new Refusal(403, 'only an app may create users');
  const fields = readFields(call.body);
  const sessionKey = sessionKeyFrom(textField(fields, 'session_secret'));
  if (sessionKey === undefined)
    throw invalidField('session_secret', 'not base64 of an Ed25519 or RSA public key');
  const full_name = textField(fields, 'full_name');
  if (full_name === '') throw invalidField('full_name', 'missing');
  if (account.unpaid === true) throw new Refusal(20123, 'the app’s bill is not paid');

  const created = newAccount(
    { user_id: randomUUID(), full_name, kind: 'network', created_by: account.user_id, identity_number: '0' },
    newSession(sessionKey),
    nowMs,
  );
  accounts.save(created);
  return {
    data: userObject(created, settings.tells_spend_key),
    created: { kind: 'network', user_id: created.user_id },
  };
};

/** What the app's network users have cost, in USD. Nothing else is charged, and nobody pays anything in. */
export const readBilling = ({ account, accounts, call }: Visit): Outcome => {
  if (account.kind !== 'app' || account.user_id !== call.id)
    throw new Refusal(403, 'an app may read its own bill only');
  const users = accounts.countCreatedBy(account.user_id) * PRICE_OF_A_USER;
  return { data: { credit: '0', cost: { users: String(users), resources: '0' } } };
};

/** GET /safe/me, GET /me, GET /logs, POST /users and GET /safe/apps/:id/billing. */
import { randomUUID } from 'node:crypto';
import { createAccount, createReadView } from './accounts.ts';
import { createUserObject, invalidField, Refusal } from './answers.ts';
import { type EndpointResult, readFields, readText, type SignedContext } from './call.ts';
import { createServerSession, parseSessionKey } from './sessions.ts';

/** developers.mixin.one, network users: USD, once for each. */
const USER_PRICE_USD = 0.5;

export const readMe = ({ account, settings, nowMs }: SignedContext): EndpointResult => ({
  data: createUserObject(createReadView(account, nowMs), settings.shows_spend_key),
});

/** Newest first; the category PIN_INCORRECT is the only one that is stored. */
export const readLogs = ({ account, call }: SignedContext): EndpointResult => {
  const text = call.query.get('limit') ?? '100';
  const limit = Number(text);
  if (!/^\d{1,3}$/.test(text) || limit < 1 || limit > 500)
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

/** Creates a network user. As at Mixin there is no idempotency key: two requests create two users. */
export const createNetworkUser = ({
  account,
  accounts,
  call,
  settings,
  nowMs,
}: SignedContext): EndpointResult => {
  if (account.kind !== 'app') throw new Refusal(403, 'only an app may create users');
  const fields = readFields(call.body);
  const sessionKey = parseSessionKey(readText(fields, 'session_secret'));
  if (sessionKey === undefined)
    throw invalidField('session_secret', 'not base64 of an Ed25519 or RSA public key');
  const full_name = readText(fields, 'full_name');
  if (full_name === '') throw invalidField('full_name', 'missing');
  if (account.unpaid === true) throw new Refusal(20123, 'the app’s bill is not paid');

  const created = createAccount(
    { user_id: randomUUID(), full_name, kind: 'network', created_by: account.user_id, identity_number: '0' },
    createServerSession(sessionKey),
    nowMs,
  );
  accounts.save(created);
  return {
    data: createUserObject(created, settings.shows_spend_key),
    created: { kind: 'network', user_id: created.user_id },
  };
};

/** What the app's network users have cost, in USD. Nothing else is charged, and nobody pays. */
export const readBilling = ({ account, accounts, call }: SignedContext): EndpointResult => {
  if (account.kind !== 'app' || account.user_id !== call.id)
    throw new Refusal(403, 'an app may read its own bill only');
  const users = accounts.countCreatedBy(account.user_id) * USER_PRICE_USD;
  return { data: { credit: '0', cost: { users: String(users), resources: '0' } } };
};

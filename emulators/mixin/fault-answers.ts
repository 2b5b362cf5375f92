/** Answers under a fault: broken pages, and account objects with wrong data. */
import { createHash, randomUUID } from 'node:crypto';
import { type Account, type Accounts, createAccount } from './accounts.ts';
import { type Answer, createAnswer, createFailure, createUserObject } from './answers.ts';
import { createSeed, derivePublicKey } from './ed25519.ts';
import type { Fault, FaultPlan } from './faults.ts';
import { createServerSession } from './sessions.ts';

const HUGE_BYTES = 2_500_000;
/** A path of this server without an endpoint: a client that follows the redirect appears in the ledger. */
const UNUSED_PATH = '/elsewhere';

const createPage = (status: number, title: string): Answer =>
  createAnswer(
    status,
    `<html><head><title>${title}</title></head><body><h1>${title}</h1></body></html>\n`,
    'text/html',
  );

/** Undefined breaks the connection. */
export const createFaultAnswer = (fault: Fault): Answer | undefined => {
  switch (fault.name) {
    case 'rate_limited':
      return createFailure(429);
    case 'code':
      return createFailure(fault.code ?? 500);
    case 'server_error':
      return createPage(fault.status ?? 500, `${fault.status ?? 500} Server Error`);
    case 'empty_body':
      return createAnswer(200, '');
    case 'html':
      return createPage(200, 'Welcome');
    case 'huge_body':
      return createAnswer(200, `{"data":{"padding":"${'x'.repeat(HUGE_BYTES)}"}}`);
    case 'redirect':
      return { ...createAnswer(fault.status ?? 302, ''), location: fault.location ?? UNUSED_PATH };
    default:
      return undefined;
  }
};

type UserObject = Readonly<Record<string, unknown>>;

const isUserObject = (data: unknown): data is UserObject =>
  typeof data === 'object' && data !== null && (data as { type?: unknown }).type === 'user';

/** An account that does not exist, for a server that has only one. */
const createOtherAccount = (nowMs: number): Account => {
  const identity = { user_id: randomUUID(), full_name: 'Other', kind: 'app', identity_number: '0' } as const;
  const session = createServerSession({ kind: 'ed25519', public_key: derivePublicKey(createSeed()) });
  return createAccount(identity, session, nowMs);
};

/** The same fields with the values of another account. */
const replaceByAnother = (user: UserObject, accounts: Accounts, nowMs: number): UserObject => {
  const other = createUserObject(
    accounts.findAnother(String(user.user_id)) ?? createOtherAccount(nowMs),
    true,
  );
  return Object.fromEntries(Object.entries(user).map(([name, value]) => [name, other[name] ?? value]));
};

/** Always the same wrong key for the same right one, so that a second read seems to confirm it. */
const deriveWrongKey = (publicKey: string, encoding: 'hex' | 'base64url'): string => {
  const seed = createHash('sha256').update('wrong key').update(Buffer.from(publicKey, encoding)).digest();
  return Buffer.from(derivePublicKey(seed), 'hex').toString(encoding);
};

const replaceKeys = (user: UserObject): UserObject => {
  const { tip_key_base64: tip, spend_public_key: spend } = user as Readonly<Record<string, string>>;
  return {
    ...user,
    ...(tip && { tip_key_base64: deriveWrongKey(tip, 'base64url') }),
    ...(spend && { spend_public_key: deriveWrongKey(spend, 'hex') }),
  };
};

/** The data of an answer as the faults of this request change it. What is not an account object stays as it is. */
export const falsifyData = (data: unknown, plan: FaultPlan, accounts: Accounts, nowMs: number): unknown => {
  if (!isUserObject(data)) return data;
  const user = plan.has('wrong_user') ? replaceByAnother(data, accounts, nowMs) : data;
  const keyed = plan.has('wrong_key') ? replaceKeys(user) : user;
  return plan.has('safe_flips_back') ? { ...keyed, has_safe: false } : keyed;
};

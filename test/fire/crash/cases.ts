/** The cases of the crash matrix: for each step and each of its outcomes, fresh accounts, rows and messages. */
import { randomBytes, randomInt, randomUUID } from 'node:crypto';
import {
  GetSecretValueCommand,
  PutSecretValueCommand,
  SecretsManagerClient,
} from '@aws-sdk/client-secrets-manager';
import type { NewUser } from '../../../emulators/mixin/server.ts';
import { clientConfig } from '../../../infra/local/client-config.ts';
import { buildBatch, listKey } from '../../../lib/batches/batch.ts';
import { deriveEnrolmentId } from '../../../lib/bots/enrolment.ts';
import { buildSignInRequest } from '../../../lib/bots/sign-in.ts';
import { readSignIn } from '../../../lib/lists/row-enrolment.ts';
import type { Bot } from '../../../lib/model/bot.ts';
import type { Enrolment } from '../../../lib/model/enrolment.ts';
import type { Keystore } from '../../../lib/model/keystore.ts';
import { readConfig } from '../../../lib/runtime/config.ts';
import type { Sandbox } from './sandbox.ts';
import type { Scenario } from './scenario.ts';
import { runStep } from './steps.ts';

const seed = () => randomBytes(32).toString('hex');
/** A seed that could also be a reduced scalar: only Mixin's public key shows which. */
const ambiguousSeed = () => Buffer.concat([randomBytes(31), Buffer.of(5)]).toString('hex');

const ago = (minutes: number) => new Date(Date.now() - 60_000 * minutes).toISOString();

const addRow = async (
  { services }: Sandbox,
  row: Pick<Bot, 'bot_id' | 'state'> & Partial<Bot>,
): Promise<string> => {
  const defaults = { batch_id: randomUUID(), line: 1, row_digest: '', revision: 1, attempts: 0, history: [] };
  await services.table.createBot({ ...defaults, state_since: ago(0), ...row });
  return row.bot_id;
};

/** A bot with a row and a stored keystore. */
const addBot = async (
  sandbox: Sandbox,
  state: Bot['state'],
  account: NewUser = {},
  listed: Partial<Keystore> = {},
  row: Partial<Bot> = {},
): Promise<string> => {
  const { keystore } = await sandbox.standIn.createUser(account);
  await sandbox.services.vault.storeKeystore({ ...keystore, ...listed } as Keystore);
  const { app_id: user_id, session_id } = keystore;
  return addRow(sandbox, { bot_id: user_id, session_id, state, ...row });
};

/** A bot that may create users. */
const addOwner = async ({ standIn, services }: Sandbox): Promise<string> => {
  const { keystore } = await standIn.createUser();
  await services.vault.storeKeystore(keystore);
  return keystore.app_id;
};

/** Requests a verification code. */
const askForCode = async ({ standIn }: Sandbox) => {
  const phone = `+86138${String(randomInt(100_000_000)).padStart(8, '0')}`;
  await fetch(`${standIn.url}/verifications`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ phone, purpose: 'SESSION', platform: 'Android' }),
  });
  const asked = standIn.verifications().find((it) => it.phone === phone);
  if (!asked) throw new Error('no code was sent');
  return asked;
};

const describeSignIn = (verification_id: string) => {
  const enrolment = { kind: 'sign_in', verification_id } as const;
  const bot_id = deriveEnrolmentId(enrolment, '', 0);
  const paid = { path: `/verifications/${verification_id}`, rows: 1 };
  return { enrolment, bot_id, paid };
};

const addNetworkUser = async (sandbox: Sandbox, row: Partial<Bot> = {}) => {
  const owner = await addOwner(sandbox);
  const enrolment: Enrolment = { kind: 'network_user', owner, full_name: 'Wallet' };
  const batch_id = randomUUID();
  const bot_id = deriveEnrolmentId(enrolment, batch_id, 1);
  await addRow(sandbox, { bot_id, batch_id, enrolment, state: 'queued', ...row });
  return { bot_id, kind: 'network_user', paid: { path: '/users', user_id: owner, rows: 1 } } as const;
};

/** Minutes until everything is finished: when the leases of killed workers have ended, or after the sweep where a step asks for a delay. */
const SOON = 2;
const AFTER_SWEEP = 40;

const nothing = { bots: [], enrolments: [], paid: [] } as const;
const ofQueue = { ...nothing, repeats: 'at_once', withinMinutes: AFTER_SWEEP } as const;

/** The last PIN call came from a machine whose clock was an hour ahead. */
const iteratorAhead = () => ({ pin_iterator: BigInt(Date.now() + 3_600_000) * 1_000_000n });

const addRegistering = (
  sandbox: Sandbox,
  account: NewUser = {},
  listed: Partial<Keystore> = {},
  row: Partial<Bot> = {},
) => addBot(sandbox, 'registering', account, listed, row);

const registering = (user_id: string): Scenario => ({
  ...ofQueue,
  task: { step: 'register', body: { bot_id: user_id } },
  bots: [user_id],
});

const registerWithoutPin = async (sandbox: Sandbox): Promise<Scenario> =>
  registering(await addRegistering(sandbox, {}, {}, iteratorAhead()));

const registerWithDigits = async (sandbox: Sandbox): Promise<Scenario> =>
  registering(await addRegistering(sandbox, { six_digit_pin: '271828' }, { pin: '271828' }, iteratorAhead()));

const registerWithWrongDigits = async (sandbox: Sandbox): Promise<Scenario> => {
  const user_id = await addRegistering(sandbox, { six_digit_pin: '271828' }, { pin: '314159' });
  return { ...registering(user_id), bots: [], blocked: { [user_id]: 'wrong_pin' }, wrong_pins: 1 };
};

const addWithTip = (sandbox: Sandbox) => {
  const tip = seed();
  return addRegistering(sandbox, { tip: { private_key: tip } }, { tip_private_key: tip });
};

const registerWithTip = async (sandbox: Sandbox): Promise<Scenario> => registering(await addWithTip(sandbox));

const registerWithHiddenKey = async (sandbox: Sandbox): Promise<Scenario> => {
  const user_id = await addWithTip(sandbox);
  sandbox.standIn.setFaults([{ name: 'spend_key_hidden', user_id }]);
  return registering(user_id);
};

const registerInSafe = async (sandbox: Sandbox): Promise<Scenario> => {
  const key = ambiguousSeed();
  const account = { tip: { private_key: key }, safe: { private_key: key } };
  return registering(await addRegistering(sandbox, account, { spend_key: key }));
};

/** An audited bot whose current secret has lost its key: a session was written over it, and its writer died. */
const restoreKey = async (sandbox: Sandbox): Promise<Scenario> => {
  const spend_private_key = seed();
  const key = { private_key: spend_private_key };
  const public_key = await sandbox.services.keys.derivePublicKey(spend_private_key);
  const row = { public_key };
  const user_id = await addBot(sandbox, 'registered', { tip: key, safe: key }, { spend_private_key }, row);
  const { aws, secretPrefix } = readConfig(sandbox.environment);
  const client = new SecretsManagerClient(clientConfig(aws.endpoints.secretsManager ?? ''));
  const SecretId = `${secretPrefix}/${user_id}`;
  const { SecretString = '' } = await client.send(new GetSecretValueCommand({ SecretId }));
  const { spend_private_key: _, ...withoutKey } = JSON.parse(SecretString) as Record<string, unknown>;
  await client.send(new PutSecretValueCommand({ SecretId, SecretString: JSON.stringify(withoutKey) }));
  client.destroy();
  return registering(user_id);
};

const checkQueued = async (sandbox: Sandbox): Promise<Scenario> => {
  const user_id = await addBot(sandbox, 'queued');
  return { ...ofQueue, task: { step: 'check', body: { bot_id: user_id } }, bots: [user_id] };
};

const checkWhileBusy = async (sandbox: Sandbox): Promise<Scenario> => {
  const scenario = await checkQueued(sandbox);
  const [user_id = ''] = scenario.bots;
  sandbox.standIn.setFaults([{ name: 'rate_limited', method: 'GET', user_id, times: 1 }]);
  return scenario;
};

const enrollUser = async (sandbox: Sandbox): Promise<Scenario> => {
  const { paid, ...enrolled } = await addNetworkUser(sandbox);
  const { bot_id } = enrolled;
  return {
    ...ofQueue,
    task: { step: 'enroll', body: { bot_id } },
    enrolments: [enrolled],
    paid: [paid],
  };
};

const enrollSignIn = async (sandbox: Sandbox): Promise<Scenario> => {
  const { id, code } = await askForCode(sandbox);
  const { enrolment, bot_id, paid } = describeSignIn(id);
  const listed = readSignIn({ code });
  if (!listed.ok) throw new Error('a code of the stand-in is not valid');
  const sign_in = await buildSignInRequest(sandbox.services, id, listed.value);
  await sandbox.services.vault.storeEnrolment(bot_id, { session_key: seed(), sign_in });
  await addRow(sandbox, { bot_id, enrolment, state: 'queued' });
  const enrolments = [{ bot_id, kind: 'sign_in' }] as const;
  return { ...ofQueue, task: { step: 'enroll', body: { bot_id } }, enrolments, paid: [paid] };
};

const signInOverHttp = async (sandbox: Sandbox): Promise<Scenario> => {
  const { id, code } = await askForCode(sandbox);
  const { bot_id, paid } = describeSignIn(id);
  return {
    ...nothing,
    task: { step: 'accounts', body: { verification_id: id, code } },
    repeats: 'after_a_minute',
    enrolments: [{ bot_id: bot_id, kind: 'sign_in' }],
    paid: [paid],
    withinMinutes: AFTER_SWEEP,
  };
};

/** A row of a bot that is in Safe, with its spend key. The vault must get the key, and only a check follows. */
const createKnownBotRow = async ({ standIn }: Sandbox) => {
  const spend_private_key = seed();
  const key = { private_key: spend_private_key };
  const { keystore } = await standIn.createUser({ tip: key, safe: key });
  return { ...keystore, spend_private_key };
};

/** A row of a sign-in, and how it must end. */
const createSignInRow = async (sandbox: Sandbox) => {
  const { id: verification_id, code } = await askForCode(sandbox);
  const { bot_id, paid } = describeSignIn(verification_id);
  const enrolled = { bot_id, kind: 'sign_in' } as const;
  return { row: { verification_id, code }, enrolments: [enrolled], paid: [paid] };
};

const addList = async ({ services }: Sandbox, batch_id: string, rows: readonly unknown[]) => {
  await services.uploads.put(listKey(batch_id), Buffer.from(JSON.stringify(rows)), 'application/json');
  await services.table.createBatch(buildBatch(batch_id, Date.now()));
};

const takeList = async (sandbox: Sandbox): Promise<Scenario> => {
  const batch_id = randomUUID();
  const holder = await createKnownBotRow(sandbox);
  const { row, ...listed } = await createSignInRow(sandbox);
  await addList(sandbox, batch_id, [holder, row, { ...holder, session_id: 'no UUID' }, holder]);
  const task = { step: 'intake', body: { batch_id } } as const;
  return { ...ofQueue, ...listed, task, bots: [holder.app_id], batch: { batch_id, errors: 2 } };
};

/**
 * The list of `takeList` is replaced by one of network users once it has been read: the form of an upload can be used
 * again until it expires. Nobody accepted what the users cost.
 */
const takeReplacedList = async (sandbox: Sandbox): Promise<Scenario> => {
  const owner = await addOwner(sandbox);
  const scenario = await takeList(sandbox);
  const { batch_id } = scenario.task.body as { batch_id: string };
  const second = Buffer.from(JSON.stringify([{ owner, full_name: 'Not priced' }]));
  return {
    ...scenario,
    paid: [...scenario.paid, { path: '/users', user_id: owner, rows: 0 }],
    replaceList: () => sandbox.services.uploads.put(listKey(batch_id), second, 'application/json'),
  };
};

/** A row with a new session of a bot that was imported before, has its key in the vault and is blocked. */
const createRelistedRow = async (sandbox: Sandbox) => {
  const spend_private_key = seed();
  const key = { private_key: spend_private_key };
  const user_id = await addBot(sandbox, 'blocked', { tip: key, safe: key }, { spend_private_key });
  return (await sandbox.standIn.createUser({ user_id })).keystore;
};

/** A row of every kind: a bot that is in Safe, one with a new session, a sign-in, a network user. */
const importChunk = async (sandbox: Sandbox): Promise<Scenario> => {
  const batch_id = randomUUID();
  const keystores = [await createKnownBotRow(sandbox), await createRelistedRow(sandbox)];
  const { row, enrolments, paid } = await createSignInRow(sandbox);
  const owner = await addOwner(sandbox);
  const enrolment: Enrolment = { kind: 'network_user', owner, full_name: 'Wallet' };
  const rows = [...keystores, row, { owner, full_name: enrolment.full_name }];
  await addList(sandbox, batch_id, rows);
  await runStep(sandbox.services, { step: 'intake', body: { batch_id } });
  await sandbox.services.table.confirmBatch(batch_id);
  const bot_id = deriveEnrolmentId(enrolment, batch_id, rows.length);
  return {
    ...ofQueue,
    task: { step: 'intake', body: { batch_id, chunk: 1 } },
    bots: keystores.map(({ app_id }) => app_id),
    enrolments: [...enrolments, { bot_id: bot_id, kind: 'network_user' }],
    paid: [...paid, { path: '/users', user_id: owner, rows: 1 }],
    batch: { batch_id, errors: 0 },
  };
};

const receiveFromInbox = async (sandbox: Sandbox): Promise<Scenario> => {
  const holder = await createKnownBotRow(sandbox);
  const name = `inbox/a list ${randomUUID()}.json`;
  const body = Buffer.from(JSON.stringify(holder));
  await sandbox.services.uploads.put(name, body, 'application/json');
  const eTag = (await sandbox.services.uploads.get(name))?.version ?? '';
  const object = { key: name.replaceAll(' ', '+'), size: body.length, eTag, sequencer: '1' };
  const task = { step: 'intake', body: { Records: [{ s3: { object } }] } } as const;
  return { ...ofQueue, task, bots: [holder.app_id] };
};

/** A due row of every kind, and one that was queued too often. */
const sweep = async (sandbox: Sandbox): Promise<Scenario> => {
  const due = { due_at: ago(1) };
  const waiting = await addBot(sandbox, 'waiting', {}, {}, { ...due, wait_until: ago(2) });
  const queued = await addBot(sandbox, 'queued', {}, {}, due);
  const registering = await addBot(sandbox, 'registering', {}, {}, due);
  const stalled = await addBot(sandbox, 'queued', {}, {}, { ...due, stalls: 5 });
  const { paid, ...enrolled } = await addNetworkUser(sandbox, due);
  return {
    task: { step: 'recheck', body: {} },
    repeats: 'never',
    bots: [waiting, queued, registering],
    blocked: { [stalled]: 'stalled' },
    enrolments: [enrolled],
    paid: [paid],
    // The message goes before the new due time: the next sweep finds what this one did not queue.
    withinMinutes: SOON,
  };
};

export const cases: Readonly<Record<string, (sandbox: Sandbox) => Promise<Scenario>>> = {
  'intake of a whole list': takeList,
  'intake of a list that is replaced while it is read': takeReplacedList,
  'intake of a chunk': importChunk,
  'intake of the inbox': receiveFromInbox,
  'enroll of a network user': enrollUser,
  'enroll of a listed sign-in': enrollSignIn,
  'a sign-in over HTTP': signInOverHttp,
  check: checkQueued,
  'register of a bot whose current secret has lost its key': restoreKey,
  'check when Mixin is busy': checkWhileBusy,
  'register without a PIN': registerWithoutPin,
  'register with six digits': registerWithDigits,
  'register with six wrong digits': registerWithWrongDigits,
  'register with a TIP key': registerWithTip,
  'register when Mixin does not show the key': registerWithHiddenKey,
  'register in Safe already': registerInSafe,
  recheck: sweep,
};

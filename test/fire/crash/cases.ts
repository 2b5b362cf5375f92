/** The cases of the crash matrix: for each step, and each way it can go, everything new that a run of it needs. */
import { randomBytes, randomInt, randomUUID } from 'node:crypto';
import type { NewUser } from '../../../emulators/mixin/server.ts';
import { listKey } from '../../../lib/batches/objects.ts';
import { newBatch } from '../../../lib/batches/progress.ts';
import { deriveEnrolmentId } from '../../../lib/bots/enrolment.ts';
import { buildSignInRequest } from '../../../lib/bots/sign-in.ts';
import { readSignIn } from '../../../lib/lists/row-enrolment.ts';
import type { Bot } from '../../../lib/model/bot.ts';
import type { Enrolment } from '../../../lib/model/enrolment.ts';
import type { Keystore } from '../../../lib/model/keystore.ts';
import type { Errand } from './errand.ts';
import type { Lane } from './lane.ts';
import { runStep } from './steps.ts';

const seed = () => randomBytes(32).toString('hex');
/** A seed that could be a reduced scalar as well: only Mixin's public key tells. */
const doubtfulSeed = () => Buffer.concat([randomBytes(31), Buffer.of(5)]).toString('hex');

const ago = (minutes: number) => new Date(Date.now() - 60_000 * minutes).toISOString();

const addRow = async (
  { services }: Lane,
  row: Pick<Bot, 'bot_id' | 'state'> & Partial<Bot>,
): Promise<string> => {
  const defaults = { batch_id: randomUUID(), line: 1, row_digest: '', revision: 1, attempts: 0, history: [] };
  await services.table.createBot({ ...defaults, state_since: ago(0), ...row });
  return row.bot_id;
};

/** A bot that is listed and kept. */
const addBot = async (
  lane: Lane,
  state: Bot['state'],
  account: NewUser = {},
  listed: Partial<Keystore> = {},
  row: Partial<Bot> = {},
): Promise<string> => {
  const { keystore } = await lane.standIn.createUser(account);
  await lane.services.vault.storeKeystore({ ...keystore, ...listed } as Keystore);
  const { app_id: user_id, session_id } = keystore;
  return addRow(lane, { bot_id: user_id, session_id, state, ...row });
};

/** A bot that may create users. */
const addOwner = async ({ standIn, services }: Lane): Promise<string> => {
  const { keystore } = await standIn.createUser();
  await services.vault.storeKeystore(keystore);
  return keystore.app_id;
};

/** A code that Mixin has sent. */
const askForCode = async ({ standIn }: Lane) => {
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

const signInOf = (verification_id: string) => {
  const enrolment = { kind: 'sign_in', verification_id } as const;
  const user_id = deriveEnrolmentId(enrolment, '', 0);
  const paid = { path: `/verifications/${verification_id}`, rows: 1 };
  return { enrolment, user_id, paid };
};

const addNetworkUser = async (lane: Lane, row: Partial<Bot> = {}) => {
  const owner = await addOwner(lane);
  const enrolment: Enrolment = { kind: 'network_user', owner, full_name: 'Wallet' };
  const batch_id = randomUUID();
  const user_id = deriveEnrolmentId(enrolment, batch_id, 1);
  await addRow(lane, { bot_id: user_id, batch_id, enrolment, state: 'queued', ...row });
  return { user_id, kind: 'network_user', paid: { path: '/users', user_id: owner, rows: 1 } } as const;
};

/** Without delays that a step asks for, all is at rest when the leases of the dead have run out; with them, after the sweep. */
const SOON = 2;
const AFTER_SWEEP = 40;

const nothing = { bots: [], enrolments: [], paid: [] } as const;
const ofQueue = { ...nothing, again: 'at_once', withinMinutes: AFTER_SWEEP } as const;

/** Another machine's clock was an hour ahead of this one's. */
const aheadOfClock = () => ({ pin_iterator: BigInt(Date.now() + 3_600_000) * 1_000_000n });

const addRegistering = (
  lane: Lane,
  account: NewUser = {},
  listed: Partial<Keystore> = {},
  row: Partial<Bot> = {},
) => addBot(lane, 'registering', account, listed, row);

const registering = (user_id: string): Errand => ({
  ...ofQueue,
  task: { step: 'register', body: { bot_id: user_id } },
  bots: [user_id],
});

const registerWithoutPin = async (lane: Lane): Promise<Errand> =>
  registering(await addRegistering(lane, {}, {}, aheadOfClock()));

const registerWithDigits = async (lane: Lane): Promise<Errand> =>
  registering(await addRegistering(lane, { six_digit_pin: '271828' }, { pin: '271828' }, aheadOfClock()));

const registerWithWrongDigits = async (lane: Lane): Promise<Errand> => {
  const user_id = await addRegistering(lane, { six_digit_pin: '271828' }, { pin: '314159' });
  return { ...registering(user_id), bots: [], blocked: { [user_id]: 'wrong_pin' }, wrong_pins: 1 };
};

const addWithTip = (lane: Lane) => {
  const tip = seed();
  return addRegistering(lane, { tip: { private_key: tip } }, { tip_private_key: tip });
};

const registerWithTip = async (lane: Lane): Promise<Errand> => registering(await addWithTip(lane));

const registerUntold = async (lane: Lane): Promise<Errand> => {
  const user_id = await addWithTip(lane);
  lane.standIn.setFaults([{ name: 'spend_key_hidden', user_id }]);
  return registering(user_id);
};

const registerInSafe = async (lane: Lane): Promise<Errand> => {
  const key = doubtfulSeed();
  const account = { tip: { private_key: key }, safe: { private_key: key } };
  return registering(await addRegistering(lane, account, { spend_key: key }));
};

const checkQueued = async (lane: Lane): Promise<Errand> => {
  const user_id = await addBot(lane, 'queued');
  return { ...ofQueue, task: { step: 'check', body: { bot_id: user_id } }, bots: [user_id] };
};

const checkWhileBusy = async (lane: Lane): Promise<Errand> => {
  const errand = await checkQueued(lane);
  const [user_id = ''] = errand.bots;
  lane.standIn.setFaults([{ name: 'rate_limited', method: 'GET', user_id, times: 1 }]);
  return errand;
};

const enrollUser = async (lane: Lane): Promise<Errand> => {
  const { paid, ...enrolled } = await addNetworkUser(lane);
  const { user_id } = enrolled;
  return {
    ...ofQueue,
    task: { step: 'enroll', body: { bot_id: user_id } },
    enrolments: [enrolled],
    paid: [paid],
  };
};

const enrollSignIn = async (lane: Lane): Promise<Errand> => {
  const { id, code } = await askForCode(lane);
  const { enrolment, user_id, paid } = signInOf(id);
  const listed = readSignIn({ code });
  if (!listed.ok) throw new Error('a code of the stand-in is not valid');
  const sign_in = await buildSignInRequest(lane.services, id, listed.value);
  await lane.services.vault.storeEnrolment(user_id, { session_key: seed(), sign_in });
  await addRow(lane, { bot_id: user_id, enrolment, state: 'queued' });
  const enrolments = [{ user_id, kind: 'sign_in' }] as const;
  return { ...ofQueue, task: { step: 'enroll', body: { bot_id: user_id } }, enrolments, paid: [paid] };
};

const signInOverHttp = async (lane: Lane): Promise<Errand> => {
  const { id, code } = await askForCode(lane);
  const { user_id, paid } = signInOf(id);
  return {
    ...nothing,
    task: { step: 'accounts', body: { verification_id: id, code } },
    again: 'after_a_minute',
    enrolments: [{ user_id, kind: 'sign_in' }],
    paid: [paid],
    withinMinutes: AFTER_SWEEP,
  };
};

/** A row of a bot that is in Safe, with its spend key: the vault must have it, and a check is all that follows. */
const holderRow = async ({ standIn }: Lane) => {
  const spend_private_key = seed();
  const key = { private_key: spend_private_key };
  const { keystore } = await standIn.createUser({ tip: key, safe: key });
  return { ...keystore, spend_private_key };
};

/** A row of a sign-in, and what it must come to. */
const signInRow = async (lane: Lane) => {
  const { id: verification_id, code } = await askForCode(lane);
  const { user_id, paid } = signInOf(verification_id);
  const enrolled = { user_id, kind: 'sign_in' } as const;
  return { row: { verification_id, code }, enrolments: [enrolled], paid: [paid] };
};

const addList = async ({ services }: Lane, batch_id: string, rows: readonly unknown[]) => {
  await services.uploads.put(listKey(batch_id), Buffer.from(JSON.stringify(rows)), 'application/json');
  await services.table.createBatch(newBatch(batch_id, Date.now()));
};

const takeList = async (lane: Lane): Promise<Errand> => {
  const batch_id = randomUUID();
  const holder = await holderRow(lane);
  const { row, ...listed } = await signInRow(lane);
  await addList(lane, batch_id, [holder, row, { ...holder, session_id: 'no UUID' }, holder]);
  const task = { step: 'intake', body: { batch_id } } as const;
  return { ...ofQueue, ...listed, task, bots: [holder.app_id], batch: { batch_id, errors: 2 } };
};

/** A row with a new session of a bot that was listed before, has its key in the vault, and is blocked. */
const relistedRow = async (lane: Lane) => {
  const spend_private_key = seed();
  const key = { private_key: spend_private_key };
  const user_id = await addBot(lane, 'blocked', { tip: key, safe: key }, { spend_private_key });
  return (await lane.standIn.createUser({ user_id })).keystore;
};

/** A row of every kind: a bot that is in Safe, one that has a new session, a sign-in, a user to buy. */
const takeChunk = async (lane: Lane): Promise<Errand> => {
  const batch_id = randomUUID();
  const keystores = [await holderRow(lane), await relistedRow(lane)];
  const { row, enrolments, paid } = await signInRow(lane);
  const owner = await addOwner(lane);
  const enrolment: Enrolment = { kind: 'network_user', owner, full_name: 'Wallet' };
  const rows = [...keystores, row, { owner, full_name: enrolment.full_name }];
  await addList(lane, batch_id, rows);
  await runStep(lane.services, { step: 'intake', body: { batch_id } });
  await lane.services.table.confirmBatch(batch_id);
  const user_id = deriveEnrolmentId(enrolment, batch_id, rows.length);
  return {
    ...ofQueue,
    task: { step: 'intake', body: { batch_id, chunk: 1 } },
    bots: keystores.map(({ app_id }) => app_id),
    enrolments: [...enrolments, { user_id, kind: 'network_user' }],
    paid: [...paid, { path: '/users', user_id: owner, rows: 1 }],
    batch: { batch_id, errors: 0 },
  };
};

const takeFromInbox = async (lane: Lane): Promise<Errand> => {
  const holder = await holderRow(lane);
  const name = `inbox/a list ${randomUUID()}.json`;
  const body = Buffer.from(JSON.stringify(holder));
  await lane.services.uploads.put(name, body, 'application/json');
  const object = { key: name.replaceAll(' ', '+'), size: body.length, eTag: 'e', sequencer: '1' };
  const task = { step: 'intake', body: { Records: [{ s3: { object } }] } } as const;
  return { ...ofQueue, task, bots: [holder.app_id] };
};

/** A row of every kind that is due, and one that was queued too often. */
const sweep = async (lane: Lane): Promise<Errand> => {
  const due = { due_at: ago(1) };
  const waiting = await addBot(lane, 'waiting', {}, {}, { ...due, wait_until: ago(2) });
  const queued = await addBot(lane, 'queued', {}, {}, due);
  const registering = await addBot(lane, 'registering', {}, {}, due);
  const stalled = await addBot(lane, 'queued', {}, {}, { ...due, stalls: 5 });
  const { paid, ...enrolled } = await addNetworkUser(lane, due);
  return {
    task: { step: 'recheck', body: {} },
    again: 'never',
    bots: [waiting, queued, registering],
    blocked: { [stalled]: 'stalled' },
    enrolments: [enrolled],
    paid: [paid],
    // The message goes before the new due time: the next sweep finds what this one did not queue.
    withinMinutes: SOON,
  };
};

export const cases: Readonly<Record<string, (lane: Lane) => Promise<Errand>>> = {
  'intake of a whole list': takeList,
  'intake of a chunk': takeChunk,
  'intake of the inbox': takeFromInbox,
  'enroll of a network user': enrollUser,
  'enroll of a listed sign-in': enrollSignIn,
  'a sign-in over HTTP': signInOverHttp,
  check: checkQueued,
  'check while Mixin is busy': checkWhileBusy,
  'register without a PIN': registerWithoutPin,
  'register with six digits': registerWithDigits,
  'register with six wrong digits': registerWithWrongDigits,
  'register with a TIP key': registerWithTip,
  'register where Mixin does not tell the key': registerUntold,
  'register in Safe already': registerInSafe,
  recheck: sweep,
};

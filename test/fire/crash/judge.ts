/** Judges an errand that has come to rest: by what the stand-in's ledger bound and sold, and what the vault holds. */
import { paginateListSecrets, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import type { LedgerEntry } from '../../../emulators/mixin/server.ts';
import { clientConfig } from '../../../infra/local/client-config.ts';
import { countKeys } from '../../../infra/local/custody.ts';
import type { Bot } from '../../../lib/model/bot.ts';
import { readConfig } from '../../../lib/runtime/config.ts';
import type { Errand, Paid } from './errand.ts';
import type { Lane } from './lane.ts';

/** What may be otherwise than after an undisturbed run. */
export interface Leeway {
  /** Does an enrolment end in doubt? It must where its row notes that the call was sent, and not what came of it. */
  readonly doubt: 'never' | 'must' | 'may';
  /** A PIN call was asleep on its way, and comes when another was made: no lease can call it back. */
  readonly strays: boolean;
}

export const noLeeway: Leeway = { doubt: 'never', strays: false };

/** What came out of one point. */
export interface Verdict {
  /** Sentences; none where all is as it must be. */
  readonly wrong: readonly string[];
  readonly bots: number;
  readonly double_keys: number;
  readonly double_paid_calls: number;
}

const isHeld = (row: Bot) => row.lease_owner !== undefined || row.lease_until !== undefined;

const wrongWithBot = async ({ services, standIn }: Lane, id: string): Promise<string[]> => {
  const row = await services.table.readBot(id);
  if (row?.state !== 'registered' || row.reason)
    return [`a bot ended ${row?.state} (${row?.reason?.code}) in place of registered`];
  const kept = await services.vault.readKeystore(id);
  const key = typeof kept === 'object' ? kept.key?.public_key : undefined;
  const account = standIn.accounts().find(({ user_id }) => user_id === id);
  const wrong =
    account?.spend_public_key === key && key !== undefined ? [] : ['the vault keeps another key than Mixin'];
  if (row.public_key !== key) wrong.push('the row names another key than the vault keeps');
  if (isHeld(row)) wrong.push('a lease is held of a bot at rest');
  return wrong;
};

const codes = { network_user: 'user_creation_unknown', sign_in: 'sign_in_unknown' } as const;

const wrongWithEnrolment = async (
  lane: Lane,
  { user_id, kind }: Errand['enrolments'][number],
  { doubt }: Leeway,
): Promise<string[]> => {
  const { table, vault } = lane.services;
  const row = await table.readBot(user_id);
  if (!row) return ['an enrolment has no row'];
  const secret = await vault.readEnrolment(user_id);
  const told = `${row.state} (${row.reason?.code})`;
  if (isHeld(row)) return [`a lease is held of an enrolment at rest: ${told}`];
  if (row.state === 'unsure' && row.reason?.code === codes[kind]) {
    if (doubt === 'never') return [`an enrolment ended ${told} though nothing was in doubt`];
    return typeof secret === 'object' ? [] : [`the secret of an enrolment in doubt is ${secret}`];
  }
  if (row.state !== 'enrolled' || !row.account) return [`an enrolment ended ${told} in place of enrolled`];
  if (doubt === 'must')
    return ['an enrolment ended enrolled though its call was noted and its answer was not'];
  const left = secret === 'pending_deletion' ? [] : ['the secret of an enrolment that ended is still there'];
  return [...left, ...(await wrongWithBot(lane, row.account.user_id))];
};

const wrongWithBatch = async ({ services }: Lane, { batch }: Errand): Promise<string[]> => {
  if (!batch) return [];
  const row = await services.table.readBatch(batch.batch_id);
  const errors = await services.table.listRowErrors(batch.batch_id, 100);
  if (row?.status !== 'imported') return [`the batch ended ${row?.status}`];
  const count = errors?.items.length;
  return count === batch.errors ? [] : [`the batch has ${count} errors in place of ${batch.errors}`];
};

/** Keys of one kind that an account was bound to beyond its first. */
const doubleKeys = (ledger: readonly LedgerEntry[], ids: ReadonlySet<string>): number => {
  const bound = new Map<string, Set<string>>();
  for (const { user_id = '', bound: key } of ledger) {
    if (!key || !ids.has(user_id)) continue;
    const name = `${user_id} ${key.kind}`;
    bound.set(name, (bound.get(name) ?? new Set()).add(key.public_key));
  }
  return [...bound.values()].reduce((sum, keys) => sum + keys.size - 1, 0);
};

export const timesSent = ({ standIn }: Lane, { path, user_id }: Paid): number =>
  standIn
    .ledger()
    .filter((it) => it.method === 'POST' && it.path === path && (!user_id || it.user_id === user_id)).length;

const doublePaidCalls = (lane: Lane, errand: Errand): number =>
  errand.paid.reduce((sum, paid) => sum + Math.max(0, timesSent(lane, paid) - paid.rows), 0);

const accountsOf = async ({ services }: Lane, { enrolments }: Errand): Promise<readonly string[]> => {
  const rows = await Promise.all(enrolments.map(({ user_id }) => services.table.readBot(user_id)));
  return rows.flatMap((row) => row?.account?.user_id ?? []);
};

const wrongWithBlocked = async ({ services }: Lane, id: string, code: string): Promise<string[]> => {
  const row = await services.table.readBot(id);
  const isRight = row?.state === 'blocked' && row.reason?.code === code;
  return isRight ? [] : [`a bot ended ${row?.state} (${row?.reason?.code}) in place of blocked (${code})`];
};

const wrongWithTime = ({ withinMinutes }: Errand, minutes: number | undefined): string[] => {
  if (minutes === undefined) return ['it never came to rest'];
  return minutes <= withinMinutes ? [] : [`it came to rest after ${minutes} minutes`];
};

/** Five wrong PINs lock an account. */
const wrongWithPins = ({ standIn }: Lane, ids: ReadonlySet<string>, allowed: number): string[] => {
  const worst = standIn.accounts().filter((it) => ids.has(it.user_id) && it.pin_errors > allowed);
  return worst.map(({ pin_errors }) => `${pin_errors} wrong PINs were sent in place of ${allowed}`);
};

/** @param minutes until all was at rest */
export const judge = async (
  lane: Lane,
  errand: Errand,
  minutes: number | undefined,
  leeway: Leeway,
): Promise<Verdict> => {
  const { bots, blocked = {}, enrolments } = errand;
  const made = await accountsOf(lane, errand);
  const ids = new Set([...bots, ...Object.keys(blocked), ...made]);
  const double_keys = doubleKeys(lane.standIn.ledger(), ids);
  const double_paid_calls = doublePaidCalls(lane, errand);
  const wrong = [
    ...wrongWithTime(errand, minutes),
    ...(double_keys > 0 ? ['a bot was bound to two keys'] : []),
    ...(double_paid_calls > 0 ? ['a call that costs was sent twice for one row'] : []),
    ...(await Promise.all(bots.map((id) => wrongWithBot(lane, id)))).flat(),
    ...(
      await Promise.all(Object.entries(blocked).map(([id, code]) => wrongWithBlocked(lane, id, code)))
    ).flat(),
    ...(await Promise.all(enrolments.map((it) => wrongWithEnrolment(lane, it, leeway)))).flat(),
    ...(await wrongWithBatch(lane, errand)),
    ...wrongWithPins(lane, ids, (errand.wrong_pins ?? 0) + (leeway.strays ? 1 : 0)),
  ];
  return { wrong, bots: ids.size, double_keys, double_paid_calls };
};

/** Names of all secrets that are scheduled for deletion. */
const deletedSecrets = async (lane: Lane): Promise<readonly string[]> => {
  const { aws } = readConfig(lane.environment);
  const client = new SecretsManagerClient(clientConfig(aws.endpoints.secretsManager ?? ''));
  const names: string[] = [];
  for await (const page of paginateListSecrets({ client }, { IncludePlannedDeletion: true }))
    for (const { Name = '', DeletedDate } of page.SecretList ?? []) if (DeletedDate) names.push(Name);
  client.destroy();
  return names;
};

const mayBeDeleted = async ({ services, environment }: Lane, name: string): Promise<boolean> => {
  const prefix = `${readConfig(environment).secretPrefix}/enrolment/`;
  if (!name.startsWith(prefix)) return false;
  return (await services.table.readBot(name.slice(prefix.length)))?.state === 'enrolled';
};

/** The whole lane in the end: keys that Mixin bound and the vault does not hold, and secrets that should be there. */
export const auditLane = async (lane: Lane) => {
  const { keys_lost } = await countKeys(lane.environment, lane.standIn.ledger());
  const deleted = await deletedSecrets(lane);
  const allowed = await Promise.all(deleted.map((name) => mayBeDeleted(lane, name)));
  return { keys_lost: keys_lost ?? 0, secrets_lost: allowed.filter((it) => !it).length };
};

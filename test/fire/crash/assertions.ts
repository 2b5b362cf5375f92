/** Checks a scenario that is finished: what did the stand-in register and sell, and what does the vault hold? */
import { paginateListSecrets, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import type { LedgerEntry } from '../../../emulators/mixin/server.ts';
import { clientConfig } from '../../../infra/local/client-config.ts';
import { countKeys } from '../../../infra/local/key-counts.ts';
import type { Bot } from '../../../lib/model/bot.ts';
import { readConfig } from '../../../lib/runtime/config.ts';
import type { Sandbox } from './sandbox.ts';
import type { PaidCall, Scenario } from './scenario.ts';

/** What may differ from an undisturbed run. */
export interface Allowance {
  /** Does an enrolment end unsure? It must when its row says that the call was sent but not how it ended. */
  readonly unsure: 'never' | 'must' | 'may';
  /** A PIN call was delayed and arrives after another one. No lease can stop it. */
  readonly allowsLateCall: boolean;
}

export const noAllowance: Allowance = { unsure: 'never', allowsLateCall: false };

/** The result of one point. */
export interface CheckResult {
  /** One sentence for each failure. */
  readonly wrong: readonly string[];
  readonly bots: number;
  readonly double_keys: number;
  readonly double_paid_calls: number;
}

const isHeld = (row: Bot) => row.lease_owner !== undefined || row.lease_until !== undefined;

const checkBot = async ({ services, standIn }: Sandbox, id: string): Promise<string[]> => {
  const row = await services.table.readBot(id);
  if (row?.state !== 'registered' || row.reason)
    return [`a bot ended ${row?.state} (${row?.reason?.code}) instead of registered`];
  const kept = await services.vault.readKeystore(id);
  const key = typeof kept === 'object' ? kept.key?.public_key : undefined;
  const account = standIn.accounts().find(({ user_id }) => user_id === id);
  const wrong =
    account?.spend_public_key === key && key !== undefined ? [] : ['the vault holds another key than Mixin'];
  if (row.public_key !== key) wrong.push('the row names another key than the vault holds');
  if (typeof kept === 'object' && kept.isKeyHidden)
    wrong.push('the current version of the secret lacks the key');
  if (isHeld(row)) wrong.push('the lease of a finished bot is still held');
  return wrong;
};

const codes = { network_user: 'user_creation_unknown', sign_in: 'sign_in_unknown' } as const;

const checkEnrolment = async (
  sandbox: Sandbox,
  { bot_id: user_id, kind }: Scenario['enrolments'][number],
  { unsure }: Allowance,
): Promise<string[]> => {
  const { table, vault } = sandbox.services;
  const row = await table.readBot(user_id);
  if (!row) return ['an enrolment has no row'];
  const secret = await vault.readEnrolment(user_id);
  const state = `${row.state} (${row.reason?.code})`;
  if (isHeld(row)) return [`the lease of a finished enrolment is still held: ${state}`];
  if (row.state === 'unsure' && row.reason?.code === codes[kind]) {
    if (unsure === 'never') return [`an enrolment ended ${state} though no answer was lost`];
    return typeof secret === 'object' ? [] : [`the secret of an unsure enrolment is ${secret}`];
  }
  if (row.state !== 'enrolled' || !row.account) return [`an enrolment ended ${state} instead of enrolled`];
  if (unsure === 'must')
    return ['an enrolment ended enrolled though its call was recorded and its answer was not'];
  const left = secret === 'pending_deletion' ? [] : ['the secret of a finished enrolment is still there'];
  return [...left, ...(await checkBot(sandbox, row.account.user_id))];
};

const checkBatch = async ({ services }: Sandbox, { batch }: Scenario): Promise<string[]> => {
  if (!batch) return [];
  const row = await services.table.readBatch(batch.batch_id);
  const errors = await services.table.listRowErrors(batch.batch_id, 100);
  if (row?.status !== 'imported') return [`the batch ended ${row?.status}`];
  const count = errors?.items.length;
  return count === batch.errors ? [] : [`the batch has ${count} errors instead of ${batch.errors}`];
};

/** How many keys of one kind were registered for an account beyond its first. */
const countDoubleKeys = (ledger: readonly LedgerEntry[], ids: ReadonlySet<string>): number => {
  const bound = new Map<string, Set<string>>();
  for (const { user_id = '', bound: key } of ledger) {
    if (!key || !ids.has(user_id)) continue;
    const name = `${user_id} ${key.kind}`;
    bound.set(name, (bound.get(name) ?? new Set()).add(key.public_key));
  }
  return [...bound.values()].reduce((sum, keys) => sum + keys.size - 1, 0);
};

export const countSent = ({ standIn }: Sandbox, { path, user_id }: PaidCall): number =>
  standIn
    .ledger()
    .filter((it) => it.method === 'POST' && it.path === path && (!user_id || it.user_id === user_id)).length;

const countDoublePaidCalls = (sandbox: Sandbox, scenario: Scenario): number =>
  scenario.paid.reduce((sum, paid) => sum + Math.max(0, countSent(sandbox, paid) - paid.rows), 0);

const listAccounts = async ({ services }: Sandbox, { enrolments }: Scenario): Promise<readonly string[]> => {
  const rows = await Promise.all(enrolments.map(({ bot_id: user_id }) => services.table.readBot(user_id)));
  return rows.flatMap((row) => row?.account?.user_id ?? []);
};

const checkBlocked = async ({ services }: Sandbox, id: string, code: string): Promise<string[]> => {
  const row = await services.table.readBot(id);
  const isRight = row?.state === 'blocked' && row.reason?.code === code;
  return isRight ? [] : [`a bot ended ${row?.state} (${row?.reason?.code}) instead of blocked (${code})`];
};

const checkTime = ({ withinMinutes }: Scenario, minutes: number | undefined): string[] => {
  if (minutes === undefined) return ['it never finished'];
  return minutes <= withinMinutes ? [] : [`it finished after ${minutes} minutes`];
};

/** Five wrong PINs lock an account. */
const checkPins = ({ standIn }: Sandbox, ids: ReadonlySet<string>, allowed: number): string[] => {
  const worst = standIn.accounts().filter((it) => ids.has(it.user_id) && it.pin_errors > allowed);
  return worst.map(({ pin_errors }) => `${pin_errors} wrong PINs were sent instead of ${allowed}`);
};

/** Was the list that replaced the first one the one that was read? */
const isPlanned = async ({ services }: Sandbox, { batch, replaceList }: Scenario): Promise<boolean> =>
  replaceList !== undefined &&
  batch !== undefined &&
  (await services.table.readBatch(batch.batch_id))?.status === 'planned';

/** @param minutes until everything was finished */
export const checkScenario = async (
  sandbox: Sandbox,
  scenario: Scenario,
  minutes: number | undefined,
  allowance: Allowance,
): Promise<CheckResult> => {
  const { bots, blocked = {}, enrolments } = scenario;
  const made = await listAccounts(sandbox, scenario);
  const ids = new Set([...bots, ...Object.keys(blocked), ...made]);
  const double_keys = countDoubleKeys(sandbox.standIn.ledger(), ids);
  const double_paid_calls = countDoublePaidCalls(sandbox, scenario);
  const harm = [
    ...checkTime(scenario, minutes),
    ...(double_keys > 0 ? ['two keys were registered for one bot'] : []),
    ...(double_paid_calls > 0
      ? ['a paid call was sent more often than there are rows that may send it']
      : []),
  ];
  if (await isPlanned(sandbox, scenario))
    return { wrong: harm, bots: ids.size, double_keys, double_paid_calls };
  const wrong = [
    ...harm,
    ...(await Promise.all(bots.map((id) => checkBot(sandbox, id)))).flat(),
    ...(
      await Promise.all(Object.entries(blocked).map(([id, code]) => checkBlocked(sandbox, id, code)))
    ).flat(),
    ...(await Promise.all(enrolments.map((it) => checkEnrolment(sandbox, it, allowance)))).flat(),
    ...(await checkBatch(sandbox, scenario)),
    ...checkPins(sandbox, ids, (scenario.wrong_pins ?? 0) + (allowance.allowsLateCall ? 1 : 0)),
  ];
  return { wrong, bots: ids.size, double_keys, double_paid_calls };
};

/** The names of all secrets that are scheduled for deletion. */
const deletedSecrets = async (sandbox: Sandbox): Promise<readonly string[]> => {
  const { aws } = readConfig(sandbox.environment);
  const client = new SecretsManagerClient(clientConfig(aws.endpoints.secretsManager ?? ''));
  const names: string[] = [];
  for await (const page of paginateListSecrets({ client }, { IncludePlannedDeletion: true }))
    for (const { Name = '', DeletedDate } of page.SecretList ?? []) if (DeletedDate) names.push(Name);
  client.destroy();
  return names;
};

const isDeletionExpected = async ({ services, environment }: Sandbox, name: string): Promise<boolean> => {
  const prefix = `${readConfig(environment).secretPrefix}/enrolment/`;
  if (!name.startsWith(prefix)) return false;
  return (await services.table.readBot(name.slice(prefix.length)))?.state === 'enrolled';
};

/** Checks the whole sandbox at the end: registered keys that the vault does not hold, and deleted secrets that are needed. */
export const auditSandbox = async (sandbox: Sandbox) => {
  const { keys_lost } = await countKeys(sandbox.environment, sandbox.standIn.ledger());
  const deleted = await deletedSecrets(sandbox);
  const allowed = await Promise.all(deleted.map((name) => isDeletionExpected(sandbox, name)));
  return { keys_lost: keys_lost ?? 0, secrets_lost: allowed.filter((it) => !it).length };
};

/**
 * The smoke test of a function: it tries everything that its permissions name (lib/model/permissions.ts) and reports
 * what it cannot reach. It writes and sends nothing, and reads only rows, secrets and lists that do not exist.
 */
import type { FunctionName, QueueName } from '../model/deployment.ts';
import { findErrorCode } from '../model/error-code.ts';
import { type IndexName, type Permissions, permissions } from '../model/permissions.ts';
import type { Services } from '../model/ports.ts';
import type { Problem } from '../model/problem.ts';
import { withTimeout } from './with-timeout.ts';

/** `what` is `table`, `vault`, `uploads`, `mixin` or `queue <name>`. */
export type SmokeCheck =
  | { readonly what: string; readonly ok: true }
  | ({ readonly what: string; readonly ok: false } & Problem);

export interface SmokeTestReport {
  readonly function: FunctionName;
  readonly ok: boolean;
  readonly checks: readonly SmokeCheck[];
}

export interface SmokeTestOptions {
  readonly services: Services;
  readonly mixinUrl: string;
  readonly tryQueue: (queue: QueueName) => Promise<void>;
  /** A probe that takes longer fails; all run side by side. @default 5 s */
  readonly timeoutMs?: number;
}

/** No bot and no batch has this id. */
const PROBE_ID = '00000000-0000-0000-0000-000000000000';
const PROBE_KEY = `smoke/${PROBE_ID}`;
const TIMEOUT_MS = 5_000;

interface Probe {
  readonly what: string;
  readonly fix: string;
  readonly run: (options: Required<SmokeTestOptions>) => Promise<unknown>;
}

const queryIndex: Readonly<Record<IndexName, (services: Services) => Promise<unknown>>> = {
  by_batch: ({ table }) => table.countBots(PROBE_ID),
  by_due: ({ table }) => table.listDueBots(0, new Date(0).toISOString(), 1),
};

const probeTable = ({ indexes }: Permissions): Probe => {
  const actions = [
    'dynamodb:GetItem on it',
    ...indexes.map((index) => `dynamodb:Query on its index ${index}`),
  ];
  return {
    what: 'table',
    fix: `Check ENLIST_TABLE, and that the role allows ${actions.join(' and ')}.`,
    run: async ({ services }) => {
      await services.table.readBot(PROBE_ID);
      for (const index of indexes) await queryIndex[index](services);
    },
  };
};

const probeVault = ({ secrets }: Permissions): Probe => ({
  what: 'vault',
  fix: 'Check that the role allows secretsmanager:GetSecretValue under ENLIST_SECRET_PREFIX.',
  run: ({ services: { vault } }) =>
    secrets.includes('read') ? vault.readKeystore(PROBE_ID) : vault.readEnrolment(PROBE_ID),
});

const probeUploads = ({ lists }: Permissions): Probe => {
  const mayRead = lists.includes('get');
  const need = mayRead ? 'the role allows s3:GetObject and s3:ListBucket' : 'the bucket exists';
  return {
    what: 'uploads',
    fix: `Check ENLIST_UPLOADS_BUCKET, and that ${need}.`,
    run: async ({ services }) => {
      try {
        await services.uploads.get(PROBE_KEY);
      } catch (error) {
        // A bucket that answers so is there; who only stores lists may not read them.
        if (mayRead || !(error instanceof Error && error.name === 'AccessDenied')) throw error;
      }
    },
  };
};

const mixinProbe: Probe = {
  what: 'mixin',
  fix: 'Check MIXIN_URL, and that the function can reach the internet.',
  run: async ({ mixinUrl, timeoutMs }) => {
    const signal = AbortSignal.timeout(timeoutMs);
    const answer = await fetch(`${mixinUrl}/`, { redirect: 'manual', signal });
    await answer.body?.cancel();
  },
};

const probeQueue = (name: QueueName): Probe => ({
  what: `queue ${name}`,
  fix: `Check ENLIST_${name.toUpperCase()}_QUEUE_URL, and that the role allows sqs:GetQueueAttributes on it.`,
  run: ({ tryQueue }) => tryQueue(name),
});

/** One probe for everything that the function may touch. */
const listProbes = (name: FunctionName): readonly Probe[] => {
  const { lists, secrets, mixin, sends } = permissions[name];
  return [
    probeTable(permissions[name]),
    ...(secrets.length > 0 ? [probeVault(permissions[name])] : []),
    ...(lists.length > 0 ? [probeUploads(permissions[name])] : []),
    ...(mixin ? [mixinProbe] : []),
    ...sends.map(probeQueue),
  ];
};

const runProbe = async (
  { what, fix, run }: Probe,
  options: Required<SmokeTestOptions>,
): Promise<SmokeCheck> => {
  try {
    await withTimeout(
      run(options),
      options.timeoutMs,
      () => new DOMException('no answer in time', 'TimeoutError'),
    );
    return { what, ok: true };
  } catch (error) {
    const code = findErrorCode(error);
    return { what, ok: false, code, message: `Could not reach ${what} (${code}).`, fix };
  }
};

/** Never throws. */
export const runSmokeTest = async (
  name: FunctionName,
  options: SmokeTestOptions,
): Promise<SmokeTestReport> => {
  const complete = { timeoutMs: TIMEOUT_MS, ...options };
  const checks = await Promise.all(listProbes(name).map((probe) => runProbe(probe, complete)));
  return { function: name, ok: checks.every(({ ok }) => ok), checks };
};

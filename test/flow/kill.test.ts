/** After kill -9 of the running command the next start goes on, and no key is lost. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, describe, expect, test } from 'vitest';
import { startMixinStandIn } from '../../emulators/mixin/server.ts';

const BOTS = 40;
const KILLS = 10;

const data = mkdtempSync(join(tmpdir(), 'enlist-kill-'));
afterAll(() => rmSync(data, { recursive: true, force: true }));

const start = (): ChildProcess =>
  spawn(
    process.execPath,
    ['cli/enlist.ts', 'start', '--once', '--json', '--data', data, '--bots', String(BOTS)],
    {
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  );

interface End {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

const waitForEnd = (child: ChildProcess): Promise<End> => {
  const chunks = { out: '', err: '' };
  child.stdout?.on('data', (chunk) => {
    chunks.out += chunk;
  });
  child.stderr?.on('data', (chunk) => {
    chunks.err += chunk;
  });
  return new Promise((resolve) => child.on('close', (code) => resolve({ code, ...chunks })));
};

/** Resolves when the command prints something, or ends. */
const waitForStart = (child: ChildProcess): Promise<unknown> =>
  new Promise((resolve) => {
    child.stderr?.once('data', resolve);
    child.once('close', resolve);
  });

describe('kill -9', () => {
  test('kill -9 of the running command at ten random moments loses no key', async () => {
    const moments: number[] = [];
    for (let kill = 0; kill < KILLS; kill += 1) {
      const child = start();
      const end = waitForEnd(child);
      await waitForStart(child);
      const moment = Math.floor(Math.random() * 1_500);
      moments.push(moment);
      await sleep(moment);
      child.kill('SIGKILL');
      await end;
    }
    const { code, out, err } = await waitForEnd(start());
    const details = `killed after ${moments.join(', ')} ms\n${out}\n${err}`;
    // Some of the test bots are blocked on purpose.
    expect(code, details).toBe(3);
    const summary = JSON.parse(out);
    const outcomes = JSON.parse(readFileSync(join(data, 'outcomes.json'), 'utf8')) as { outcome: string }[];
    const count = (expected: string) => outcomes.filter(({ outcome }) => outcome === expected).length;
    expect(summary, details).toMatchObject({
      total: BOTS,
      invalid: count('invalid'),
      duplicates: count('duplicate'),
      states: {
        queued: 0,
        registering: 0,
        unsure: 0,
        failed: 0,
        registered: count('registered'),
        external: count('external'),
        waiting: count('waiting'),
        blocked: count('blocked'),
      },
      keys_lost: 0,
    });
    expect(summary.keys_bound).toBeGreaterThan(BOTS / 3);
    expect(await mostKeysOfOneBot(), details).toBe(1);
  }, 170_000);
});

/** Counts from the ledger alone, which no kill can change. */
const mostKeysOfOneBot = async (): Promise<number> => {
  const standIn = await startMixinStandIn({ dataDir: join(data, 'mixin') });
  const keys = new Map<string, Set<string>>();
  for (const { user_id = '', bound } of standIn.ledger()) {
    if (bound) keys.set(user_id, (keys.get(user_id) ?? new Set()).add(bound.public_key));
  }
  await standIn.stop();
  return Math.max(...[...keys.values()].map((bound) => bound.size));
};

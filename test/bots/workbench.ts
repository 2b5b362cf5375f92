/** Steps called by hand: the emulators, a stand-in Mixin and the real services, without anything that calls them. */

import { type MixinStandIn, startMixinStandIn } from '../../emulators/mixin/server.ts';
import { startEmulators } from '../../infra/local/emulators.ts';
import type { Bot } from '../../lib/model/bot.ts';
import type { Services } from '../../lib/model/ports.ts';
import { readConfig } from '../../lib/runtime/config.ts';
import { connect } from '../../lib/runtime/connect.ts';

export interface Workbench extends AsyncDisposable {
  readonly standIn: MixinStandIn;
  readonly services: Services;
}

export const openWorkbench = async (): Promise<Workbench> => {
  const standIn = await startMixinStandIn({});
  const emulators = await startEmulators();
  const config = readConfig({ ...emulators.environment, MIXIN_URL: standIn.url });
  return {
    standIn,
    services: connect(config, () => undefined).services,
    [Symbol.asyncDispose]: async () => {
      await emulators.stop();
      await standIn.stop();
    },
  };
};

/** A row as a list makes it. */
export const newRow = (services: Services, more: Partial<Bot>): Bot => ({
  bot_id: services.randomId(),
  batch_id: services.randomId(),
  line: 1,
  row_digest: '',
  state: 'queued',
  state_since: new Date().toISOString(),
  revision: 1,
  attempts: 0,
  history: [],
  ...more,
});

/** The same services some minutes later, when leases have run out. */
export const later = (services: Services, minutes: number): Services => ({
  ...services,
  now: () => Date.now() + minutes * 60_000,
});

/** When an invocation that begins now ends. */
export const deadline = (services: Services): number => services.now() + 30_000;

export class Died extends Error {}

/** Lets a worker die where `work` throws Died, and nowhere else. */
export const dying = (work: Promise<unknown>): Promise<unknown> =>
  work.catch((error: unknown) => {
    if (!(error instanceof Died)) throw error;
  });

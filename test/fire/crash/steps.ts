/** What a worker can be asked to do, by name: the steps, as a message, a schedule or an HTTP request starts them. */
import { accounts } from '../../../lib/api/accounts.ts';
import { intake } from '../../../lib/batches/intake.ts';
import { check } from '../../../lib/bots/check.ts';
import { enroll } from '../../../lib/bots/enroll.ts';
import { recheck } from '../../../lib/bots/recheck.ts';
import { register } from '../../../lib/bots/register.ts';
import { functions } from '../../../lib/model/deployment.ts';
import type { Services } from '../../../lib/model/ports.ts';

const steps = {
  intake,
  enroll,
  check,
  register,
  recheck: (services: Services, _body: unknown, deadlineMs: number) => recheck(services, deadlineMs),
  /** POST /accounts/verifications/{verification_id} */
  accounts: async (services: Services, body: unknown) => {
    const { verification_id, ...fields } = body as { verification_id: string };
    const request = { path: { verification_id }, query: {}, headers: {} };
    await accounts.signIn(services, { ...request, body: Buffer.from(JSON.stringify(fields)) });
  },
} as const satisfies Record<string, (services: Services, body: unknown, deadlineMs: number) => Promise<void>>;

export type StepName = keyof typeof steps;

export interface Task {
  readonly step: StepName;
  readonly body: unknown;
}

/** The part of an invocation's time that is left for its own end (lib/runtime). */
const SPARE_MS = 1_000;

/** Runs the step once, with the time its function has. Throws what it throws. */
export const runStep = (services: Services, { step, body }: Task): Promise<void> => {
  const deadlineMs = services.now() + 1_000 * functions[step].timeoutSeconds - SPARE_MS;
  return steps[step](services, body, deadlineMs);
};

/** retry: queues bots of a batch again. */
import { retryStates } from '../../lib/provision/states.ts';
import { batchArgument, mustBeOneOf } from '../arguments.ts';
import type { Command } from '../command.ts';
import { exitCodes } from '../failure.ts';

export const retry: Command = {
  usage: 'retry BATCH',
  summary: 'Queues bots of a batch again, once what stopped them is mended.',
  details: [
    'Without --state: those that are blocked or failed. A bot whose PIN is locked is left alone, for each try',
    'would lengthen the lock. A batch that is stuck has its list read again.',
    '--json prints {"batch_id", "retried", "pin_locked"}.',
  ],
  options: {
    state: {
      type: 'string',
      multiple: true,
      value: 'STATE',
      help: `bots in this state: ${retryStates.join(', ')}; may be given several times`,
    },
    reason: { type: 'string', value: 'CODE', help: 'only bots with this reason code, as bots prints it' },
  },
  run: async (call) => {
    const batch_id = batchArgument(call);
    const states = call.texts('state').map((text) => mustBeOneOf('--state', retryStates, text));
    const reason = call.text('reason');
    const sum = await (await call.api()).retryBatch(batch_id, {
      ...(states.length > 0 && { states }),
      ...(reason !== undefined && { reason }),
    });
    const { retried, pin_locked } = sum;
    call.output.json({ batch_id, retried, pin_locked });
    call.output.line(retried === 0 ? 'No bot was queued again.' : `Queued again: ${retried}.`);
    if (pin_locked > 0) call.output.line(`Left alone, because their PIN is locked: ${pin_locked}.`);
    if (retried > 0) call.output.line(`Follow them:  enlist watch ${batch_id}`);
    return exitCodes.done;
  },
};

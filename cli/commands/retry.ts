/** retry: queues bots of a batch again. */
import { retryStates } from '../../lib/model/states.ts';
import type { ApiClient } from '../api-client.ts';
import { batchArgument, mustBeOneOf } from '../arguments.ts';
import type { Call, Command } from '../command.ts';
import { countLost, usd, usersOf } from '../cost.ts';
import { exitCodes, UsageError } from '../failure.ts';

/** What is unsure may cost a second time, and has an option of its own. */
const freeStates = retryStates.filter((state) => state !== 'unsure');

const reasonOf = (call: Call) => {
  const reason = call.text('reason');
  return reason === undefined ? {} : { reason };
};

const tryAgain = async (call: Call, api: ApiClient, batch_id: string, states: readonly string[]) => {
  const { output } = call;
  const { retried, pin_locked } = await api.retryBatch(batch_id, {
    ...(states.length > 0 && { states }),
    ...reasonOf(call),
  });
  output.json({ batch_id, retried, pin_locked });
  output.line(retried === 0 ? 'No bot was queued again.' : `Queued again: ${retried}.`);
  if (pin_locked > 0) output.line(`Left alone, because their PIN is locked: ${pin_locked}.`);
  return retried;
};

/** Creations whose answer was lost are made once more. */
const payAgain = async (call: Call, api: ApiClient, batch_id: string) => {
  const { output } = call;
  const batch = await api.readBatch(batch_id);
  const price = batch.cost?.price_usd ?? 0;
  const lost = countLost(batch);
  if (lost > 0)
    output.note(`${usersOf(lost)} possibly created: once more may cost up to ${usd(lost * price)} again.`);
  const { retried, pin_locked } = await api.retryBatch(batch_id, {
    states: ['unsure'],
    pay_again: true,
    ...reasonOf(call),
  });
  const may_cost_usd = retried * price;
  output.json({ batch_id, retried, pin_locked, may_cost_usd });
  if (retried === 0) output.line('No creation waits for an answer, so none was queued again.');
  else output.line(`Queued again: ${retried}. What may be paid twice: ${usd(may_cost_usd)}.`);
  return retried;
};

export const retry: Command = {
  usage: 'retry BATCH',
  summary: 'Queues bots of a batch again, once what stopped them is mended.',
  details: [
    'Without --state: those that are blocked or failed. A bot whose PIN is locked is left alone, for each try',
    'would lengthen the lock. A batch that is stuck has its list read again.',
    "A user whose creation got no answer is possibly created, and then paid for. Look at the owner's bill first:",
    '--pay-again creates each of them once more, and where the first one is there that is paid for twice.',
    '--json prints {"batch_id", "retried", "pin_locked"}; with --pay-again "may_cost_usd" too.',
  ],
  options: {
    state: {
      type: 'string',
      multiple: true,
      value: 'STATE',
      help: `bots in this state: ${freeStates.join(', ')}; may be given several times`,
    },
    reason: { type: 'string', value: 'CODE', help: 'only bots with this reason code, as bots prints it' },
    'pay-again': {
      type: 'boolean',
      help: 'only what is unsure: create these users once more, although that may cost twice',
    },
  },
  run: async (call) => {
    const batch_id = batchArgument(call);
    const states = call.texts('state').map((text) => mustBeOneOf('--state', freeStates, text));
    const isPaid = call.flag('pay-again');
    if (isPaid && states.length > 0) throw new UsageError('--pay-again goes without --state.');
    const api = await call.api();
    const retried = await (isPaid ? payAgain(call, api, batch_id) : tryAgain(call, api, batch_id, states));
    if (retried > 0) call.output.line(`Follow them:  enlist watch ${batch_id}`);
    return exitCodes.done;
  },
};

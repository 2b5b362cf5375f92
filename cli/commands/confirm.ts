/** confirm: accepts what a planned batch costs, and so starts it. */

import type { BatchReferenceView } from '../../lib/api/contract.ts';
import { type ApiClient, ApiError } from '../api-client.ts';
import { batchArgument, mustBeGiven, usdOption } from '../arguments.ts';
import type { Command } from '../command.ts';
import { exitCodes, Refusal } from '../failure.ts';
import { watchBatch } from './watch.ts';

const NEW_PLAN = 'A new plan:  enlist upload --new FILE, or enlist create with another --key';

const accept = async (api: ApiClient, batch_id: string, dollars: number): Promise<BatchReferenceView> => {
  try {
    return await api.confirmBatch(batch_id, dollars);
  } catch (error) {
    if (!(error instanceof ApiError && error.code === 'plan_expired')) throw error;
    throw new Refusal(`${error.message}\n${NEW_PLAN}`);
  }
};

export const confirm: Command = {
  usage: 'confirm BATCH',
  summary: 'Accepts the cost of a planned batch, which then creates its users.',
  details: [
    'status tells the cost. Mixin charges the owner of the users, not Enlist. A batch that costs more than is',
    'accepted here stays as it is.',
    '--json prints {"batch_id", "status"}; with --watch the batch as watch prints it.',
  ],
  options: {
    'accept-cost': { type: 'string', value: 'USD', help: 'what it may cost at most, in US dollars' },
    watch: { type: 'boolean', help: 'follow the batch and tell how it ended' },
  },
  run: async (call) => {
    const { output } = call;
    const batch_id = batchArgument(call);
    const dollars = mustBeGiven('--accept-cost', usdOption(call, 'accept-cost'));
    const api = await call.api();
    const { status } = await accept(api, batch_id, dollars);
    output.line('The cost is accepted.');
    if (call.flag('watch')) return watchBatch(call, api, batch_id);
    output.json({ batch_id, status });
    output.line(`Follow it:  enlist watch ${batch_id}`);
    return exitCodes.done;
  },
};

/** POST /batches/{batch_id}/retry: an operator asks for another try. */
import { isPinLocked, matchesRetry, retryBot } from '../bots/retry.ts';
import type { Services } from '../model/ports.ts';
import { badCursor } from './batches.ts';
import type { RouteRequest } from './contract.ts';
import { problem, type Reply } from './http.ts';

/** Bots one retry request moves: well within API Gateway's 30 seconds. */
const RETRY_PAGE = 200;

const payAgain = () =>
  problem('bad_body', {
    message:
      'An unsure state stands for a call that may have taken effect: sending it again can cost money twice.',
    fix: 'To accept that, send {"states": ["unsure"], "pay_again": true}.',
    field: 'pay_again',
  });

export const retryBatch = async (
  services: Services,
  { parameters, body: options }: RouteRequest<'retryBatch'>,
): Promise<Reply<'retryBatch'>> => {
  // guard: paying-again-is-accepted
  if (options.states.includes('unsure') && !options.pay_again) return payAgain();
  const batch = await services.table.readBatch(parameters.batch_id);
  if (!batch) return problem('no_such_batch');
  // Its message may be lost, whatever its status says; intake goes on where it stopped.
  if (batch.status !== 'imported' && batch.status !== 'rejected' && batch.status !== 'planned')
    await services.queues.send('intake', [{ body: { batch_id: batch.batch_id } }]);
  const { batch_id } = batch;
  const cursor = options.cursor === undefined ? {} : { cursor: options.cursor };
  const page = await services.table.listBots({ batch_id, limit: RETRY_PAGE, ...cursor });
  if (!page) return badCursor();
  const wanted = page.items.filter((bot) => matchesRetry(bot, options));
  const free = wanted.filter((bot) => !isPinLocked(bot, services.now()));
  let retried = 0;
  for (const bot of free) if (await retryBot(services, bot)) retried += 1;
  return {
    body: {
      retried,
      pin_locked: wanted.length - free.length,
      ...(page.cursor !== undefined && { cursor: page.cursor }),
    },
  };
};

/** A message whose handler crashed every time goes to the dead-letter queue: here its row learns of it. */

import { intakeMessage } from '../batches/intake.ts';
import type { QueueName } from '../model/deployment.ts';
import type { Services } from '../model/ports.ts';
import { reason } from '../model/reasons.ts';
import { unfinishedStates } from '../model/states.ts';
import { botMessage } from './check.ts';
import { moveBot } from './transition.ts';

const blockBot = async (services: Services, step: QueueName, bot_id: string) => {
  const bot = await services.table.readBot(bot_id);
  // A bot at rest was only being looked at again: it stays where it is.
  if (bot && (unfinishedStates as readonly string[]).includes(bot.state)) {
    await moveBot(services, bot, 'block', { step, reason: reason('handler_crashed') });
  }
};

const noteOnBatch = (services: Services, batch_id: string, chunk: number | undefined) =>
  services.table.recordStuck(batch_id, {
    code: 'handler_crashed',
    message:
      chunk === undefined
        ? 'Reading the list crashed every time it was tried.'
        : 'Taking in a part of the list crashed every time it was tried; the other parts are not affected.',
    fix: 'Look for record_crashed in the logs of intake and mend the cause; then POST /batches/{batch_id}/retry.',
  });

/** @param body the message as SQS delivered it; what is no message of this step has no row to tell. */
export const recordCrash = async (services: Services, step: QueueName, body: string): Promise<void> => {
  let message: unknown;
  try {
    message = JSON.parse(body);
  } catch {
    return;
  }
  if (step === 'intake') {
    const part = intakeMessage.safeParse(message);
    if (part.success) await noteOnBatch(services, part.data.batch_id, part.data.chunk);
    return;
  }
  const bot = botMessage.safeParse(message);
  if (bot.success) await blockBot(services, step, bot.data.bot_id);
};

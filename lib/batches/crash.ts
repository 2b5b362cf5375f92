/** A message about a list, or about a chunk of it, crashed on every delivery: its batch says so. */

import type { Services } from '../model/ports.ts';
import { intakeMessage } from './intake.ts';

/**
 * Marks the batch that the message names as stuck, before SQS moves the message to the dead-letter queue of intake.
 * @param message parsed JSON; nothing happens unless it is `{ batch_id }` or `{ batch_id, chunk }`
 */
export const giveUpBatch = async (services: Services, message: unknown): Promise<void> => {
  const parsed = intakeMessage.safeParse(message);
  if (!parsed.success) return;
  const { batch_id, chunk } = parsed.data;
  await services.table.recordStuck(batch_id, {
    code: 'handler_crashed',
    message:
      chunk === undefined
        ? 'Reading the list crashed each time it was tried.'
        : 'Importing a part of the list crashed each time it was tried; the other parts are not affected.',
    fix: 'Look for record_crashed in the logs of intake and fix the cause; then POST /batches/{batch_id}/retry.',
  });
};

/** A message that crashed on every delivery goes to the dead-letter queue: what it is about learns of it here. */

import { giveUpBatch } from '../batches/crash.ts';
import { giveUpBot } from '../bots/crash.ts';
import type { QueueName } from '../model/deployment.ts';
import type { Services } from '../model/ports.ts';

/** @param body the message as SQS delivered it; nothing happens when it is not JSON */
export const recordCrash = async (services: Services, step: QueueName, body: string): Promise<void> => {
  let message: unknown;
  try {
    message = JSON.parse(body);
  } catch {
    return;
  }
  await (step === 'intake' ? giveUpBatch : giveUpBot)(services, message, step);
};

/** The Lambda function intake: receives the messages of its queue. */
import { giveUpBatch, intake } from '../lib/batches/intake.ts';
import { lazily } from '../lib/runtime/handler.ts';
import { queueFunction } from '../lib/runtime/queue-function.ts';

export const createHandler = queueFunction('intake', { handle: intake, giveUp: giveUpBatch });
export const handler = lazily(createHandler);

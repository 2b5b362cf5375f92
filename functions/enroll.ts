/** The Lambda function enroll: receives the messages of its queue. */
import { giveUpBot } from '../lib/bots/crash.ts';
import { enroll } from '../lib/bots/enroll.ts';
import { lazily } from '../lib/runtime/handler.ts';
import { queueFunction } from '../lib/runtime/queue-function.ts';

export const createHandler = queueFunction('enroll', { handle: enroll, giveUp: giveUpBot });
export const handler = lazily(createHandler);

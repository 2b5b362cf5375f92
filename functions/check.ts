/** The Lambda function check: receives the messages of its queue. */
import { check } from '../lib/bots/check.ts';
import { giveUpBot } from '../lib/bots/crash.ts';
import { lazily } from '../lib/runtime/handler.ts';
import { queueFunction } from '../lib/runtime/queue-function.ts';

export const createHandler = queueFunction('check', { handle: check, giveUp: giveUpBot });
export const handler = lazily(createHandler);

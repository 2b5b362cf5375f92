/** The Lambda function register: receives the messages of its queue. */
import { giveUpBot } from '../lib/bots/crash.ts';
import { register } from '../lib/bots/register.ts';
import { lazily } from '../lib/runtime/handler.ts';
import { queueFunction } from '../lib/runtime/queue-function.ts';

export const createHandler = queueFunction('register', { handle: register, giveUp: giveUpBot });
export const handler = lazily(createHandler);

/** The Lambda function recheck: runs on a schedule. */
import { recheck } from '../lib/bots/recheck.ts';
import { lazily } from '../lib/runtime/handler.ts';
import { scheduledFunction } from '../lib/runtime/scheduled-function.ts';

export const createHandler = scheduledFunction('recheck', recheck);
export const handler = lazily(createHandler);

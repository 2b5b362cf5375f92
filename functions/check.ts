/** SQS → check. Builds, wraps, exports; decides nothing. */
import { opened, queueFunction } from '../lib/runtime/lambda.ts';
import { check } from '../lib/bots/check.ts';

export const open = queueFunction('check', check);
export const handler = opened(open);

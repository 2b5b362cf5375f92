/** SQS → register. Builds, wraps, exports; decides nothing. */
import { opened, queueFunction } from '../lib/runtime/lambda.ts';
import { register } from '../lib/bots/register.ts';

export const open = queueFunction('register', register);
export const handler = opened(open);

/** SQS → register. Builds, wraps, exports; decides nothing. */

import { register } from '../lib/bots/register.ts';
import { opened, queueFunction } from '../lib/runtime/lambda.ts';

export const open = queueFunction('register', register);
export const handler = opened(open);

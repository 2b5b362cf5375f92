/** SQS → register. Builds, wraps, exports; decides nothing. */
import { opened, queueFunction } from '../lib/entry.ts';
import { register } from '../lib/provision/register.ts';

export const open = queueFunction('register', register);
export const handler = opened(open);

/** SQS → intake. Builds, wraps, exports; decides nothing. */
import { opened, queueFunction } from '../lib/entry.ts';
import { intake } from '../lib/provision/intake.ts';

export const open = queueFunction('intake', intake);
export const handler = opened(open);

/** SQS → check. Builds, wraps, exports; decides nothing. */
import { opened, queueFunction } from '../lib/entry.ts';
import { check } from '../lib/provision/check.ts';

export const open = queueFunction('check', check);
export const handler = opened(open);

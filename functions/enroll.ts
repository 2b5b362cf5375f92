/** SQS → enroll. Builds, wraps, exports; decides nothing. */
import { opened, queueFunction } from '../lib/entry.ts';
import { enroll } from '../lib/provision/enroll.ts';

export const open = queueFunction('enroll', enroll);
export const handler = opened(open);

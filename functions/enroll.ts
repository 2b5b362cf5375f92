/** SQS → enroll. Builds, wraps, exports; decides nothing. */
import { opened, queueFunction } from '../lib/runtime/lambda.ts';
import { enroll } from '../lib/bots/enroll.ts';

export const open = queueFunction('enroll', enroll);
export const handler = opened(open);

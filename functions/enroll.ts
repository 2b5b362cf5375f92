/** SQS → enroll. Builds, wraps, exports; decides nothing. */

import { enroll } from '../lib/bots/enroll.ts';
import { opened, queueFunction } from '../lib/runtime/lambda.ts';

export const open = queueFunction('enroll', enroll);
export const handler = opened(open);

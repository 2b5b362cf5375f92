/** SQS → intake. Builds, wraps, exports; decides nothing. */
import { opened, queueFunction } from '../lib/runtime/lambda.ts';
import { intake } from '../lib/batches/intake.ts';

export const open = queueFunction('intake', intake);
export const handler = opened(open);

/** SQS → intake. Builds, wraps, exports; decides nothing. */

import { intake } from '../lib/batches/intake.ts';
import { opened, queueFunction } from '../lib/runtime/lambda.ts';

export const open = queueFunction('intake', intake);
export const handler = opened(open);

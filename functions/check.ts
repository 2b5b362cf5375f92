/** SQS → check. Builds, wraps, exports; decides nothing. */

import { check } from '../lib/bots/check.ts';
import { opened, queueFunction } from '../lib/runtime/lambda.ts';

export const open = queueFunction('check', check);
export const handler = opened(open);

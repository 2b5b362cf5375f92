/** Schedule → recheck. Builds, wraps, exports; decides nothing. */
import { opened, scheduledFunction } from '../lib/runtime/lambda.ts';
import { recheck } from '../lib/bots/recheck.ts';

export const open = scheduledFunction('recheck', recheck);
export const handler = opened(open);

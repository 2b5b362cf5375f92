/** Schedule → recheck. Builds, wraps, exports; decides nothing. */

import { recheck } from '../lib/bots/recheck.ts';
import { opened, scheduledFunction } from '../lib/runtime/lambda.ts';

export const open = scheduledFunction('recheck', recheck);
export const handler = opened(open);

/** Schedule → recheck. Builds, wraps, exports; decides nothing. */
import { opened, scheduledFunction } from '../lib/entry.ts';
import { recheck } from '../lib/provision/recheck.ts';

export const open = scheduledFunction('recheck', recheck);
export const handler = opened(open);

/** HTTP API → accounts. Builds, wraps, exports; decides nothing. */

import { accounts } from '../lib/api/accounts.ts';
import { httpFunction, opened } from '../lib/runtime/lambda.ts';

export const open = httpFunction('accounts', accounts);
export const handler = opened(open);

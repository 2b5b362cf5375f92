/** HTTP API → accounts. Builds, wraps, exports; decides nothing. */
import { httpFunction, opened } from '../lib/runtime/lambda.ts';
import { accounts } from '../lib/api/accounts.ts';

export const open = httpFunction('accounts', accounts);
export const handler = opened(open);

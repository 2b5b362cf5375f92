/** HTTP API → accounts. Builds, wraps, exports; decides nothing. */
import { httpFunction, opened } from '../lib/entry.ts';
import { accounts } from '../lib/provision/accounts.ts';

export const open = httpFunction('accounts', accounts);
export const handler = opened(open);

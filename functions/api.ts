/** HTTP API → api. Builds, wraps, exports; decides nothing. */
import { httpFunction, opened } from '../lib/entry.ts';
import { api } from '../lib/provision/api.ts';

export const open = httpFunction('api', api);
export const handler = opened(open);

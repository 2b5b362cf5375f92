/** HTTP API → api. Builds, wraps, exports; decides nothing. */
import { httpFunction, opened } from '../lib/runtime/lambda.ts';
import { api } from '../lib/api/batches.ts';

export const open = httpFunction('api', api);
export const handler = opened(open);

/** HTTP API → api. Builds, wraps, exports; decides nothing. */

import { api } from '../lib/api/api.ts';
import { httpFunction, opened } from '../lib/runtime/lambda.ts';

export const open = httpFunction('api', api);
export const handler = opened(open);

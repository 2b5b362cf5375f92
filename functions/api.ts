/** The Lambda function api: answers routes of the HTTP API. */
import { api } from '../lib/api/api.ts';
import { lazily } from '../lib/runtime/handler.ts';
import { httpFunction } from '../lib/runtime/http-function.ts';

export const createHandler = httpFunction('api', api);
export const handler = lazily(createHandler);

/** The Lambda function accounts: answers routes of the HTTP API. */
import { accounts } from '../lib/api/accounts.ts';
import { lazily } from '../lib/runtime/handler.ts';
import { httpFunction } from '../lib/runtime/http-function.ts';

export const createHandler = httpFunction('accounts', accounts);
export const handler = lazily(createHandler);

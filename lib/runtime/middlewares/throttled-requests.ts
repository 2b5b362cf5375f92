/** A request that AWS throttled is answered with 503 and a time to try again. */
import type { MiddlewareObj } from '@middy/core';
import { answerProblem } from '../../api/problems.ts';
import { findErrorCode } from '../../model/error-code.ts';
import type { FunctionConnection } from '../handler.ts';
import type { ContextWithDeadline } from './deadline.ts';
import { toResult } from './problem-documents.ts';

const RETRY_AFTER_SECONDS = '5';

export const throttledRequests = ({
  services,
  isThrottled,
}: FunctionConnection): MiddlewareObj<unknown, unknown, Error, ContextWithDeadline> => ({
  onError: ({ error, context }) => {
    if (!isThrottled(error, context.startedMs)) return undefined;
    services.log('warn', 'request_throttled', { error: findErrorCode(error) });
    return toResult({
      ...answerProblem('throttled'),
      headers: { 'retry-after': RETRY_AFTER_SECONDS },
    });
  },
});

/** A request that failed because AWS is unavailable is answered with 503 and a time to try again. */
import type { MiddlewareObj } from '@middy/core';
import { answerProblem } from '../../api/problems.ts';
import { isDenied } from '../../aws/unavailable.ts';
import { findErrorCode } from '../../model/error-code.ts';
import type { FunctionConnection } from '../handler.ts';
import type { ContextWithDeadline } from './deadline.ts';
import { toResult } from './problem-documents.ts';

const RETRY_AFTER_SECONDS = '5';

export const unavailableRequests = ({
  services,
  isUnavailable,
}: FunctionConnection): MiddlewareObj<unknown, unknown, Error, ContextWithDeadline> => ({
  onError: ({ error, context }) => {
    if (!isUnavailable(error, context.startedMs)) return undefined;
    const code = isDenied(error) ? 'aws_denied' : 'aws_unavailable';
    services.log('warn', code, { error: findErrorCode(error) });
    return toResult({
      ...answerProblem('aws_unavailable'),
      headers: { 'retry-after': RETRY_AFTER_SECONDS },
    });
  },
});

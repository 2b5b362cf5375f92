/** An error that nothing else handles becomes a problem document; its text is neither sent nor logged. */
import type { MiddlewareObj } from '@middy/core';
import type { APIGatewayProxyStructuredResultV2 } from 'aws-lambda';
import type { HttpAnswer } from '../../api/http.ts';
import { answerProblem } from '../../api/problems.ts';
import { SchemaError } from '../../aws/table/items.ts';
import { findErrorCode } from '../../model/error-code.ts';
import type { Log } from '../../model/log.ts';

/** An answer as API Gateway wants it. From status 400 on it is a problem document. */
export const toResult = ({ status, body, headers = {} }: HttpAnswer): APIGatewayProxyStructuredResultV2 => ({
  statusCode: status,
  headers: { 'content-type': status >= 400 ? 'application/problem+json' : 'application/json', ...headers },
  body: JSON.stringify(body),
});

export const problemDocuments = (log: Log): MiddlewareObj => ({
  onError: ({ error }) => {
    log('error', 'request_failed', { error: findErrorCode(error) });
    if (error instanceof SchemaError) return toResult(answerProblem('other_schema'));
    return toResult(
      answerProblem(
        'internal_error',
        // guard: problem-has-no-error-text
        {},
      ),
    );
  },
});

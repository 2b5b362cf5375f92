/** What answers some routes of the HTTP API becomes a handler of API Gateway's events. */
import middy from '@middy/core';
import httpHeaderNormalizer from '@middy/http-header-normalizer';
import httpRouter from '@middy/http-router';
import type { APIGatewayProxyEventV2, APIGatewayProxyResultV2 } from 'aws-lambda';
import { type HttpFunctionName, type RouteName, type RouteNameOf, routes } from '../api/contract.ts';
import type { Answers, HttpRequest } from '../api/http.ts';
import { answerProblem } from '../api/problems.ts';
import { type CreateHandler, connectFunction, type Handler } from './handler.ts';
import { deadline, failAtDeadline } from './middlewares/deadline.ts';
import { problemDocuments, toResult } from './middlewares/problem-documents.ts';
import { smokeTest } from './middlewares/smoke-test.ts';
import { unavailableRequests } from './middlewares/unavailable-requests.ts';

const toRequest = (event: APIGatewayProxyEventV2): HttpRequest => ({
  path: event.pathParameters ?? {},
  query: event.queryStringParameters ?? {},
  headers: event.headers,
  body: Buffer.from(event.body ?? '', event.isBase64Encoded ? 'base64' : 'utf8'),
});

const listRoutes = <F extends HttpFunctionName>(name: F): readonly RouteNameOf<F>[] =>
  (Object.keys(routes) as RouteName[]).filter(
    (route): route is RouteNameOf<F> => routes[route].function === name,
  );

/** Whatever goes wrong is answered with a problem document, before API Gateway gives up. */
export const httpFunction =
  <F extends HttpFunctionName>(name: F, answers: Answers<F>): CreateHandler =>
  (environment, write) => {
    const connection = connectFunction(name, environment, write);
    const { services, runSmokeTest } = connection;
    const router = httpRouter<APIGatewayProxyEventV2, APIGatewayProxyResultV2>({
      routes: listRoutes(name).map((route) => ({
        method: routes[route].method,
        path: routes[route].path,
        handler: async (event: APIGatewayProxyEventV2) =>
          toResult(await answers[route](services, toRequest(event))),
      })),
      notFoundResponse: () => toResult(answerProblem('no_such_route')),
    });
    // Errors are handled from the last to the first.
    return middy(router, failAtDeadline).use([
      smokeTest(runSmokeTest),
      deadline(services.now),
      httpHeaderNormalizer(),
      problemDocuments(services.log),
      unavailableRequests(connection),
    ] as middy.MiddlewareObj[]) as unknown as Handler;
  };

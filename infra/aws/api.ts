/** The HTTP API and its functions. Every request must be signed with IAM credentials. */
import { Duration } from 'aws-cdk-lib';
import { AccessLogFormat } from 'aws-cdk-lib/aws-apigateway';
import {
  type CfnStage,
  HttpApi,
  HttpMethod,
  type HttpRoute,
  HttpStage,
  LogGroupLogDestination,
} from 'aws-cdk-lib/aws-apigatewayv2';
import { HttpIamAuthorizer } from 'aws-cdk-lib/aws-apigatewayv2-authorizers';
import { HttpLambdaIntegration } from 'aws-cdk-lib/aws-apigatewayv2-integrations';
import { type HttpFunctionName, type Route, routes } from '../../lib/api/contract.ts';
import { sum } from './alarms.ts';
import { createFunction, createLogGroup, type FunctionResources, functionTexts } from './function.ts';
import type { EnlistStack } from './stack.ts';

/** Who called what, with what result; no header, no body. */
const accessLogFormat = AccessLogFormat.custom(
  JSON.stringify({
    time: '$context.requestTime',
    request_id: '$context.requestId',
    caller: '$context.identity.userArn',
    ip: '$context.identity.sourceIp',
    route: '$context.routeKey',
    path: '$context.path',
    status: '$context.status',
    milliseconds: '$context.responseLatency',
    error: '$context.error.message',
  }),
);

/** Each of these makes Mixin send a code or try one, and comes from a person. */
const SIGN_IN_REQUESTS_PER_SECOND = 2;

const throttle = (perSecond: number) => ({ rateLimit: perSecond, burstLimit: 2 * perSecond });

export interface ApiResources {
  readonly api: HttpApi;
  readonly url: string;
  readonly functions: Readonly<Record<HttpFunctionName, FunctionResources>>;
}

/** The routes of `accounts` have a limit of their own. The stage finds them by name, so they must exist first. */
const throttleSignIns = (stage: HttpStage, httpRoutes: readonly HttpRoute[], perSecond: number) => {
  const { rateLimit, burstLimit } = throttle(Math.min(SIGN_IN_REQUESTS_PER_SECOND, perSecond));
  const slow = Object.values<Route>(routes).filter((route) => route.function === 'accounts');
  (stage.node.defaultChild as CfnStage).routeSettings = Object.fromEntries(
    slow.map(({ method, path }) => [
      `${method} ${path}`,
      { ThrottlingRateLimit: rateLimit, ThrottlingBurstLimit: burstLimit },
    ]),
  );
  stage.node.addDependency(...httpRoutes);
};

export const createApi = (stack: EnlistStack): ApiResources => {
  const { names, settings, alarms } = stack;
  const functions = { api: createFunction(stack, 'api'), accounts: createFunction(stack, 'accounts') };
  const { part } = functions.api;
  const api = new HttpApi(part, 'HttpApi', {
    apiName: names.api,
    description: `Enlist ${settings.stage}`,
    createDefaultStage: false,
    defaultAuthorizer: new HttpIamAuthorizer(),
  });
  const timeout = Duration.seconds(29);
  const integrations = {
    api: new HttpLambdaIntegration('Lambda', functions.api.fn, { timeout }),
    accounts: new HttpLambdaIntegration('Accounts', functions.accounts.fn, { timeout }),
  };
  const httpRoutes = Object.values<Route>(routes).flatMap(({ method, path, function: name }) =>
    api.addRoutes({ path, methods: [HttpMethod[method]], integration: integrations[name] }),
  );
  const accessLogs = createLogGroup(part, 'AccessLogs', stack, 'http-api');
  const stage = new HttpStage(part, 'Stage', {
    httpApi: api,
    stageName: '$default',
    autoDeploy: true,
    throttle: throttle(settings.apiRequestsPerSecond),
    accessLogSettings: { destination: new LogGroupLogDestination(accessLogs), format: accessLogFormat },
  });
  throttleSignIns(stage, httpRoutes, settings.apiRequestsPerSecond);
  alarms.add('api-server-errors', {
    metric: api.metricServerError(sum),
    threshold: 5,
    impact: functionTexts.api.impact,
    fix: 'look for request_failed in the logs of api and accounts; a failed request of api may be sent again.',
  });
  return { api, url: stage.url, functions };
};

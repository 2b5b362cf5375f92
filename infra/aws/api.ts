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
import { Construct } from 'constructs';
import { type HttpFunctionName, type Route, routes } from '../../lib/api/contract.ts';
import { FIVE_MINUTES } from './alarms.ts';
import { createFunction, createLogGroup, type FunctionResources } from './function.ts';
import type { StackContext } from './stack-context.ts';

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

/** The functions behind the API, and what it means for a bot when one of them does not answer. */
const httpFunctions: Readonly<
  Record<HttpFunctionName, { readonly description: string; readonly impact: string }>
> = {
  api: {
    description: 'Receives lists and answers about batches and bots; may read no secret',
    impact: 'lists are not accepted and nobody can ask about bots; bots that are in progress go on.',
  },
  accounts: {
    description: 'Signs accounts in with a verification code, one at a time',
    impact: 'nobody can ask for a code or sign in with one; lists and bots that are in progress go on.',
  },
};

/** Each of these makes Mixin send a code or try one, and comes from a person. */
const SIGN_IN_REQUESTS_PER_SECOND = 2;

const throttle = (perSecond: number) => ({ rateLimit: perSecond, burstLimit: 2 * perSecond });

export interface ApiResources {
  readonly api: HttpApi;
  readonly url: string;
  readonly functions: Readonly<Record<HttpFunctionName, FunctionResources>>;
}

const createHttpFunction = (
  scope: Construct,
  context: StackContext,
  name: HttpFunctionName,
): FunctionResources => {
  const { description, impact } = httpFunctions[name];
  const resources = createFunction(scope, context, { name, description });
  context.alarms.watchFunction(name, resources.fn, impact);
  return resources;
};

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

export const createApi = (scope: Construct, context: StackContext): ApiResources => {
  const { names, storage, settings, alarms } = context;
  const part = new Construct(scope, 'api');
  const functions = {
    api: createHttpFunction(part, context, 'api'),
    accounts: createHttpFunction(new Construct(scope, 'accounts'), context, 'accounts'),
  };
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
  const accessLogs = createLogGroup(
    part,
    'AccessLogs',
    names.logGroup('http-api'),
    storage.keys.data,
    settings.logRetentionDays,
  );
  const stage = new HttpStage(part, 'Stage', {
    httpApi: api,
    stageName: '$default',
    autoDeploy: true,
    throttle: throttle(settings.apiRequestsPerSecond),
    accessLogSettings: { destination: new LogGroupLogDestination(accessLogs), format: accessLogFormat },
  });
  throttleSignIns(stage, httpRoutes, settings.apiRequestsPerSecond);
  alarms.add('api-server-errors', {
    metric: api.metricServerError({ period: FIVE_MINUTES, statistic: 'Sum' }),
    threshold: 5,
    impact: httpFunctions.api.impact,
    fix: 'look for request_failed in the logs of api and accounts; a failed request of api may be sent again.',
  });
  return { api, url: stage.url, functions };
};

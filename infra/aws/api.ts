/** The HTTP API and its functions: every route of the topology, signed with IAM credentials. */
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
import { type MadeFunction, makeFunction, makeLogGroup } from './function.ts';
import type { House } from './stack-context.ts';

/** Who asked what, and how it ended; no header, no body. */
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

/** The functions behind the API, and what it means for a bot when one does not answer. */
const answering: Readonly<
  Record<HttpFunctionName, { readonly description: string; readonly impact: string }>
> = {
  api: {
    description: 'Takes lists and answers about batches and bots; can read no secret',
    impact: 'lists are not accepted and nobody can ask about bots; bots at work are not touched.',
  },
  accounts: {
    description: 'Signs accounts in by verification code, one at a time',
    impact: 'nobody can ask for a code or sign in with one; lists and bots at work are not touched.',
  },
};

/** Each of these makes Mixin send a code or try one: a person's pace is enough. */
const SIGN_IN_REQUESTS_PER_SECOND = 2;

const throttle = (perSecond: number) => ({ rateLimit: perSecond, burstLimit: 2 * perSecond });

export interface MadeApi {
  readonly api: HttpApi;
  readonly url: string;
  readonly functions: Readonly<Record<HttpFunctionName, MadeFunction>>;
}

const makeAnswering = (scope: Construct, house: House, name: HttpFunctionName): MadeFunction => {
  const { description, impact } = answering[name];
  const made = makeFunction(scope, house, { name, description });
  house.alarms.watchFunction(name, made.fn, impact);
  return made;
};

/** The routes of `accounts` have a limit of their own. The stage looks for them by name: they must be there. */
const slowSignIns = (stage: HttpStage, made: readonly HttpRoute[], perSecond: number) => {
  const { rateLimit, burstLimit } = throttle(Math.min(SIGN_IN_REQUESTS_PER_SECOND, perSecond));
  const slow = Object.values<Route>(routes).filter((route) => route.function === 'accounts');
  (stage.node.defaultChild as CfnStage).routeSettings = Object.fromEntries(
    slow.map(({ method, path }) => [
      `${method} ${path}`,
      { ThrottlingRateLimit: rateLimit, ThrottlingBurstLimit: burstLimit },
    ]),
  );
  stage.node.addDependency(...made);
};

export const makeApi = (scope: Construct, house: House): MadeApi => {
  const { names, keeping, settings, alarms } = house;
  const place = new Construct(scope, 'api');
  const functions = {
    api: makeAnswering(place, house, 'api'),
    accounts: makeAnswering(new Construct(scope, 'accounts'), house, 'accounts'),
  };
  const api = new HttpApi(place, 'HttpApi', {
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
  const made = Object.values<Route>(routes).flatMap(({ method, path, function: name }) =>
    api.addRoutes({ path, methods: [HttpMethod[method]], integration: integrations[name] }),
  );
  const accessLogs = makeLogGroup(
    place,
    'AccessLogs',
    names.logGroup('http-api'),
    keeping.keys.data,
    settings.logRetentionDays,
  );
  const stage = new HttpStage(place, 'Stage', {
    httpApi: api,
    stageName: '$default',
    autoDeploy: true,
    throttle: throttle(settings.apiRequestsPerSecond),
    accessLogSettings: { destination: new LogGroupLogDestination(accessLogs), format: accessLogFormat },
  });
  slowSignIns(stage, made, settings.apiRequestsPerSecond);
  alarms.add('api-server-errors', {
    metric: api.metricServerError({ period: FIVE_MINUTES, statistic: 'Sum' }),
    threshold: 5,
    impact: answering.api.impact,
    fix: 'look for request_failed in the logs of api and accounts; a request of api that failed may be sent again.',
  });
  return { api, url: stage.url, functions };
};

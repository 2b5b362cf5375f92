/** The HTTP API: every route of the topology, signed with IAM credentials. */
import { Duration } from 'aws-cdk-lib';
import { AccessLogFormat } from 'aws-cdk-lib/aws-apigateway';
import { HttpApi, HttpMethod, HttpStage, LogGroupLogDestination } from 'aws-cdk-lib/aws-apigatewayv2';
import { HttpIamAuthorizer } from 'aws-cdk-lib/aws-apigatewayv2-authorizers';
import { HttpLambdaIntegration } from 'aws-cdk-lib/aws-apigatewayv2-integrations';
import { Construct } from 'constructs';
import { routes } from '../../lib/topology.ts';
import { FIVE_MINUTES } from './alarms.ts';
import { type MadeFunction, makeFunction, makeLogGroup } from './function.ts';
import type { House } from './house.ts';

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

export interface MadeApi extends MadeFunction {
  readonly api: HttpApi;
  readonly url: string;
}

export const makeApi = (scope: Construct, house: House): MadeApi => {
  const { names, keeping, settings, alarms } = house;
  const place = new Construct(scope, 'api');
  const made = makeFunction(place, house, {
    name: 'api',
    description: 'Takes lists and answers about batches and bots; can read no secret',
  });
  const api = new HttpApi(place, 'HttpApi', {
    apiName: names.api,
    description: `Enlist ${settings.stage}`,
    createDefaultStage: false,
    defaultAuthorizer: new HttpIamAuthorizer(),
  });
  const integration = new HttpLambdaIntegration('Lambda', made.fn, {
    timeout: Duration.seconds(29),
  });
  for (const { method, path } of Object.values(routes)) {
    api.addRoutes({ path, methods: [HttpMethod[method]], integration });
  }
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
    throttle: {
      rateLimit: settings.apiRequestsPerSecond,
      burstLimit: 2 * settings.apiRequestsPerSecond,
    },
    accessLogSettings: { destination: new LogGroupLogDestination(accessLogs), format: accessLogFormat },
  });
  const impact = 'lists are not accepted and nobody can ask about bots; bots at work are not touched.';
  alarms.watchFunction('api', made.fn, impact);
  alarms.add('api-server-errors', {
    metric: api.metricServerError({ period: FIVE_MINUTES, statistic: 'Sum' }),
    threshold: 5,
    impact,
    todo: 'look for request_failed in the log of api; a request that failed may be sent again.',
  });
  return { ...made, api, url: stage.url };
};

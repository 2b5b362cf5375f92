import { beforeAll, expect, it } from 'vitest';
import { routes } from '../../../lib/topology.ts';
import { resourcesOf, synthesise, type Template, targetOf } from './synthesised.ts';

let template: Template;
beforeAll(async () => {
  ({ template } = await synthesise({ apiRequestsPerSecond: '20' }));
}, 60_000);

it('has the routes of the topology and no other', () => {
  const made = resourcesOf(template, 'AWS::ApiGatewayV2::Route').map(
    ([, { Properties }]) => Properties.RouteKey,
  );
  expect([...made].sort()).toEqual(
    Object.values(routes)
      .map(({ method, path }) => `${method} ${path}`)
      .sort(),
  );
});

it('asks for IAM credentials on every route', () => {
  for (const [, { Properties }] of resourcesOf(template, 'AWS::ApiGatewayV2::Route')) {
    expect([Properties.RouteKey, Properties.AuthorizationType]).toEqual([Properties.RouteKey, 'AWS_IAM']);
  }
});

it('can start the api function and no other', () => {
  const started = resourcesOf(template, 'AWS::Lambda::Permission').map(([, { Properties }]) => Properties);
  expect(started).toHaveLength(Object.keys(routes).length);
  const [[api] = []] = resourcesOf(template, 'AWS::Lambda::Function').filter(
    ([, { Properties }]) => Properties.FunctionName === 'enlist-prod-api',
  );
  for (const { Principal, FunctionName } of started) {
    expect([Principal, targetOf(FunctionName)]).toEqual(['apigateway.amazonaws.com', api]);
  }
});

it('has a limit and an access log without headers and bodies', () => {
  const [[, stage] = []] = resourcesOf(template, 'AWS::ApiGatewayV2::Stage');
  expect(stage?.Properties.DefaultRouteSettings).toMatchObject({
    ThrottlingRateLimit: 20,
    ThrottlingBurstLimit: 40,
  });
  const format = JSON.parse(stage?.Properties.AccessLogSettings.Format) as Record<string, string>;
  expect(Object.keys(format).sort()).toEqual(
    ['caller', 'error', 'ip', 'milliseconds', 'path', 'request_id', 'route', 'status', 'time'].sort(),
  );
});

import { beforeAll, expect, test } from 'vitest';
import { type Route, routes } from '../../../lib/api/contract.ts';
import { findResources, flatten, readTarget, synthesise, type Template } from './synthesised.ts';

let template: Template;
beforeAll(async () => {
  ({ template } = await synthesise({ apiRequestsPerSecond: '20' }));
}, 60_000);

test('the HTTP API has the routes of the contract and no other', () => {
  const routeKeys = findResources(template, 'AWS::ApiGatewayV2::Route').map(
    ([, { Properties }]) => Properties.RouteKey,
  );
  expect([...routeKeys].sort()).toEqual(
    Object.values(routes)
      .map(({ method, path }) => `${method} ${path}`)
      .sort(),
  );
});

test('every route requires IAM credentials', () => {
  for (const [, { Properties }] of findResources(template, 'AWS::ApiGatewayV2::Route')) {
    expect([Properties.RouteKey, Properties.AuthorizationType]).toEqual([Properties.RouteKey, 'AWS_IAM']);
  }
});

/** The short name of the function behind a logical id. */
const findFunctionName = (id: string | undefined) =>
  template.Resources[id ?? '']?.Properties.FunctionName.replace('enlist-prod-', '');

test('each route invokes its function', () => {
  const targets = findResources(template, 'AWS::ApiGatewayV2::Route').map(([, { Properties }]) => {
    const integration = /\$\{(\w+)\}/.exec(flatten(Properties.Target))?.[1] ?? '';
    const uri = template.Resources[integration]?.Properties.IntegrationUri;
    return [Properties.RouteKey, findFunctionName(readTarget(uri))];
  });
  expect(Object.fromEntries(targets)).toEqual(
    Object.fromEntries(
      Object.values<Route>(routes).map((route) => [`${route.method} ${route.path}`, route.function]),
    ),
  );
});

test('the HTTP API may invoke each function for its own routes only', () => {
  const permissions = findResources(template, 'AWS::Lambda::Permission').map(([, { Properties }]) => {
    expect(Properties.Principal).toBe('apigateway.amazonaws.com');
    const path = flatten(Properties.SourceArn).replace(/^.*\/\*\/\*/, '');
    return `${findFunctionName(readTarget(Properties.FunctionName))} ${path}`;
  });
  expect(permissions.sort()).toEqual(
    Object.values<Route>(routes)
      .map((route) => `${route.function} ${route.path}`)
      .sort(),
  );
});

test('sign-in routes have a low limit, and the stage is created after its routes', async () => {
  const limitsOf = (routeKeys: Template) =>
    findResources(routeKeys, 'AWS::ApiGatewayV2::Stage')[0]?.[1].Properties.RouteSettings;
  const keys = Object.values<Route>(routes)
    .filter((route) => route.function === 'accounts')
    .map(({ method, path }) => `${method} ${path}`);
  const limited = (rate: number) => ({ ThrottlingRateLimit: rate, ThrottlingBurstLimit: 2 * rate });
  expect(limitsOf(template)).toEqual(Object.fromEntries(keys.map((key) => [key, limited(2)])));
  const slow = await synthesise({ apiRequestsPerSecond: '1' });
  expect(limitsOf(slow.template)).toEqual(Object.fromEntries(keys.map((key) => [key, limited(1)])));
  const [[, stage] = []] = findResources(template, 'AWS::ApiGatewayV2::Stage');
  const routeKeys = findResources(template, 'AWS::ApiGatewayV2::Route').map(([id]) => id);
  expect(stage?.DependsOn).toEqual(expect.arrayContaining(routeKeys));
}, 60_000);

test('the HTTP API has a limit, and an access log without headers and bodies', () => {
  const [[, stage] = []] = findResources(template, 'AWS::ApiGatewayV2::Stage');
  expect(stage?.Properties.DefaultRouteSettings).toMatchObject({
    ThrottlingRateLimit: 20,
    ThrottlingBurstLimit: 40,
  });
  const format = JSON.parse(stage?.Properties.AccessLogSettings.Format) as Record<string, string>;
  expect(Object.keys(format).sort()).toEqual(
    ['caller', 'error', 'ip', 'milliseconds', 'path', 'request_id', 'route', 'status', 'time'].sort(),
  );
});

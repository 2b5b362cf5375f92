/** Time-outs and throttling of AWS. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, test } from 'vitest';
import { readConfig } from '../../lib/runtime/config.ts';
import { connect } from '../../lib/runtime/connect.ts';
import { startServer } from '../cli/run.ts';

const configFor = (url: string) =>
  readConfig({
    ENLIST_TABLE: 'enlist',
    ENLIST_UPLOADS_BUCKET: 'uploads',
    ENLIST_SECRET_PREFIX: 'enlist',
    ENLIST_INTAKE_QUEUE_URL: `${url}/1/intake`,
    ENLIST_ENROLL_QUEUE_URL: `${url}/1/enroll`,
    ENLIST_CHECK_QUEUE_URL: `${url}/1/check`,
    ENLIST_REGISTER_QUEUE_URL: `${url}/1/register`,
    MIXIN_URL: url,
    AWS_REGION: 'us-east-1',
    AWS_ACCESS_KEY_ID: 'local',
    AWS_SECRET_ACCESS_KEY: 'local',
    AWS_ENDPOINT_URL: url,
  });

test('a call that AWS does not answer times out after eight seconds and is repeated', async () => {
  let requests = 0;
  const server = createServer((_request, response) => {
    requests += 1;
    if (requests > 1) response.writeHead(200, { 'content-type': 'application/x-amz-json-1.0' }).end('{}');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const { services } = connect(configFor(`http://127.0.0.1:${port}`), () => undefined);
  const startedAt = performance.now();
  expect(await services.table.readBot(services.randomId())).toBeUndefined();
  expect(performance.now() - startedAt).toBeGreaterThan(7_900);
  expect(requests).toBe(2);
  server.closeAllConnections();
  server.close();
}, 20_000);

test('a call that AWS throttles is repeated, and the connection reports that AWS was unavailable', async () => {
  let requests = 0;
  await using server = await startServer(() => {
    requests += 1;
    return requests === 1
      ? { status: 400, body: '{"__type":"ThrottlingException","message":"Rate exceeded"}' }
      : { status: 200, body: '{}' };
  });
  const { services, unavailableSince } = connect(configFor(server.url), () => undefined);
  const before = Date.now();
  expect(unavailableSince(0)).toBe(false);
  await services.table.readBot(services.randomId());
  expect([requests, unavailableSince(before), unavailableSince(Date.now() + 1)]).toEqual([2, true, false]);
});

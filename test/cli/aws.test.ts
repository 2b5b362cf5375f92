/** Finds a deployed stack and signs requests to it. */
import { createHash, createHmac } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { functionNames } from '../../lib/model/deployment.ts';
import { enlistProcess, jsonLines, type ServerAnswer, type ServerRequest, startServer } from './run.ts';

const id = '00000000-0000-4000-8000-000000000001';
const identity = {
  AWS_ACCESS_KEY_ID: 'AKIDEXAMPLE',
  AWS_SECRET_ACCESS_KEY: 'invented-for-this-test',
  AWS_REGION: 'eu-west-1',
};

const problem = (status: number, code: string): ServerAnswer => ({
  status,
  body: JSON.stringify({ code, message: 'It was refused.', fix: 'Try something else.' }),
});
const noBot = () => problem(404, 'no_such_bot');

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');
const hmac = (key: string | Buffer, text: string) => createHmac('sha256', key).update(text).digest();
const uriEncode = (text: string) =>
  encodeURIComponent(text).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);

/**
 * The Authorization header that AWS expects, computed here from the request.
 * https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
 */
const expectedAuthorization = (
  { method, url, headers, body }: ServerRequest,
  secret: string,
  region: string,
) => {
  const signedHeaders = /SignedHeaders=([^,]+)/.exec(String(headers.authorization))?.[1] ?? '';
  const time = String(headers['x-amz-date']);
  const scope = `${time.slice(0, 8)}/${region}/execute-api/aws4_request`;
  const { pathname, searchParams } = new URL(url, 'http://localhost');
  const query = [...searchParams].map(([name, value]) => `${uriEncode(name)}=${uriEncode(value)}`).sort();
  const canonical = [
    method,
    pathname.split('/').map(uriEncode).join('/'),
    query.join('&'),
    ...signedHeaders.split(';').map((name) => `${name}:${String(headers[name]).trim()}`),
    '',
    signedHeaders,
    sha256(body),
  ].join('\n');
  const toSign = ['AWS4-HMAC-SHA256', time, scope, sha256(canonical)].join('\n');
  const key = [region, 'execute-api', 'aws4_request'].reduce<Buffer>(
    (last, part) => hmac(last, part),
    hmac(`AWS4${secret}`, time.slice(0, 8)),
  );
  const signature = hmac(key, toSign).toString('hex');
  return `AWS4-HMAC-SHA256 Credential=${identity.AWS_ACCESS_KEY_ID}/${scope}, SignedHeaders=${signedHeaders}, Signature=${signature}`;
};

describe('signatures', () => {
  test('every request is signed for execute-api, with path, query, headers and body', async () => {
    await using server = await startServer(({ method }) =>
      method === 'POST'
        ? { status: 202, body: JSON.stringify({ batch_id: id, status: 'received' }) }
        : { status: 200, body: JSON.stringify({ bots: [] }) },
    );
    const env = { ...identity, AWS_SESSION_TOKEN: 'invented-token', ENLIST_API: `${server.url}/v1/` };
    const results = await Promise.all([
      enlistProcess(['upload', '-', '--type', 'jsonl'], { env, stdin: '{"app_id": "ä"}' }),
      enlistProcess(['bots', id, '--state', 'blocked'], { env }),
    ]);
    expect(results.map(({ code }) => code)).toEqual([0, 0]);
    expect(server.requests.map(({ url }) => url).sort()).toEqual([
      '/v1/batches',
      `/v1/batches/${id}/bots?state=blocked`,
    ]);
    for (const request of server.requests) {
      const authorization = String(request.headers.authorization);
      expect(authorization).toBe(expectedAuthorization(request, identity.AWS_SECRET_ACCESS_KEY, 'eu-west-1'));
      expect(authorization).toMatch(/SignedHeaders=[^,]*\bhost\b[^,]*x-amz-date[^,]*x-amz-security-token/);
      expect(request.headers).toMatchObject({
        'x-amz-security-token': 'invented-token',
        'x-amz-content-sha256': sha256(request.body),
      });
    }
    const upload = server.requests.find(({ method }) => method === 'POST');
    expect(upload?.headers.authorization).toMatch(/SignedHeaders=content-[^,]*idempotency-key/);
  });

  test('--region is used for signing, and a request to this machine is not signed without credentials', async () => {
    await using server = await startServer(noBot);
    const local = ['show', id, '--api', server.url];
    await enlistProcess([...local, '--region', 'ap-east-1'], { env: identity });
    await enlistProcess(local);
    const [withIdentity, plain] = server.requests;
    expect(withIdentity?.headers.authorization).toContain('/ap-east-1/execute-api/');
    expect(plain?.headers.authorization).toBeUndefined();
  });
});

describe('error answers', () => {
  const askApi = async (answer: ServerAnswer) => {
    await using server = await startServer(() => answer);
    const { code, stdout, stderr } = await enlistProcess(['show', id, '--api', server.url]);
    return { code, stdout, stderr, times: server.requests.length };
  };

  test.concurrent.each([
    [
      'a problem document',
      problem(404, 'no_such_bot'),
      'It was refused. Use the app_id of its keystore, or an id that enlist bots printed.\n',
    ],
    [
      'API Gateway',
      { status: 403, body: '{"message":"Forbidden"}' },
      "The API answered 403: Forbidden. Use credentials that may do this: the stack's output OperatorPolicy",
    ],
    [
      'IAM',
      { status: 403, body: '{"Message":"User: x is not authorized"}' },
      'User: x is not authorized. Use credentials that may do this',
    ],
    [
      'IAM to a machine whose clock is off',
      { status: 403, body: '{"message":"Signature expired: 20261125T080000Z is now earlier than 2026…"}' },
      "Set this machine's clock",
    ],
    [
      'IAM to a session that has ended',
      { status: 403, body: '{"message":"The security token included in the request is expired"}' },
      'Your AWS credentials have expired: sign in again',
    ],
    [
      'IAM to a wrong secret key',
      { status: 403, body: '{"message":"The request signature we calculated does not match"}' },
      'Check your AWS credentials',
    ],
    ['another server', { status: 200, body: '<html>' }, 'answers, but not as the API of Enlist does.'],
    ['a redirect', { status: 302, headers: { location: 'http://127.0.0.1:9/' }, body: '' }, 'answered 302.'],
  ] as const)(
    'the error is shown, and the exit code is 2, when the answer is that of %s',
    async (_kind, answer, sentence) => {
      const { code, stdout, stderr, times } = await askApi(answer);
      expect({ code, stdout, times }).toEqual({ code: 2, stdout: '', times: 1 });
      expect(stderr).toContain(sentence);
    },
  );

  test('a request is repeated when the API is briefly unavailable', async () => {
    const answers = [{ status: 503, body: '' }, { status: 429, body: '' }, noBot()];
    await using server = await startServer(() => answers.shift() ?? noBot());
    const { stderr } = await enlistProcess(['show', id, '--api', server.url]);
    expect(server.requests).toHaveLength(3);
    expect(stderr).toContain('It was refused.');
  });

  test('when nothing listens at the address, the exit code is 2', async () => {
    const server = await startServer(noBot);
    await server[Symbol.asyncDispose]();
    const results = await Promise.all(
      [['show', id], ['doctor']].map((args) => enlistProcess([...args, '--api', server.url])),
    );
    const stderr = `The API at ${server.url} cannot be reached: nothing answers at this address (ECONNREFUSED).\n`;
    expect(results).toEqual(results.map(() => ({ code: 2, stdout: '', stderr })));
  });
});

/** A server in place of CloudFormation, with one stack. */
const startCloudFormation = (name: string, outputs: Readonly<Record<string, string>>) =>
  startServer(({ body }) => {
    const query = new URLSearchParams(body);
    const headers = { 'content-type': 'text/xml' };
    if (query.get('StackName') !== name) {
      const text = `Stack with id ${query.get('StackName')} does not exist`;
      const error = `<Error><Type>Sender</Type><Code>ValidationError</Code><Message>${text}</Message></Error>`;
      return { status: 400, headers, body: `<ErrorResponse>${error}</ErrorResponse>` };
    }
    const members = Object.entries(outputs).map(
      ([key, value]) => `<member><OutputKey>${key}</OutputKey><OutputValue>${value}</OutputValue></member>`,
    );
    const stack = `<member><StackName>${name}</StackName><Outputs>${members.join('')}</Outputs></member>`;
    return {
      status: 200,
      headers,
      body: `<DescribeStacksResponse><DescribeStacksResult><Stacks>${stack}</Stacks></DescribeStacksResult></DescribeStacksResponse>`,
    };
  });

describe('a deployed stack', () => {
  test('a deployed stack is found by its stage, and requests go to its ApiUrl', async () => {
    await using api = await startServer(noBot);
    await using cloud = await startCloudFormation('enlist-test', { ApiUrl: `${api.url}/` });
    const env = { ...identity, AWS_ENDPOINT_URL_CLOUDFORMATION: cloud.url };
    const [byOption, byVariable, byDefault] = await Promise.all([
      enlistProcess(['show', id, '--stage', 'test'], { env }),
      enlistProcess(['show', id], { env: { ...env, ENLIST_STAGE: 'test' } }),
      enlistProcess(['show', id], { env }),
    ]);
    expect(byOption.stderr).toBe(
      'It was refused. Use the app_id of its keystore, or an id that enlist bots printed.\n',
    );
    expect(byVariable.stderr).toBe(byOption.stderr);
    expect(api.requests.map(({ url }) => url)).toEqual([`/bots/${id}`, `/bots/${id}`]);
    for (const request of api.requests) {
      expect(request.headers.authorization).toBe(
        expectedAuthorization(request, identity.AWS_SECRET_ACCESS_KEY, 'eu-west-1'),
      );
    }
    expect(byDefault.code).toBe(2);
    expect(byDefault.stderr).toContain('There is no stack enlist-prod in eu-west-1. Deploy it, or give');
  });

  test('a deployed stack is called with the credentials and region of --profile', async () => {
    await using api = await startServer(noBot);
    await using cloud = await startCloudFormation('enlist-prod', { ApiUrl: api.url });
    const folder = await mkdtemp(join(tmpdir(), 'enlist-aws-'));
    onTestFinished(() => rm(folder, { recursive: true }));
    const AWS_CONFIG_FILE = join(folder, 'config');
    const AWS_SHARED_CREDENTIALS_FILE = join(folder, 'credentials');
    await writeFile(AWS_CONFIG_FILE, '[profile ops]\nregion = eu-north-1\n');
    await writeFile(
      AWS_SHARED_CREDENTIALS_FILE,
      '[ops]\naws_access_key_id = AKIDOPS\naws_secret_access_key = invented\n',
    );
    const env = { AWS_CONFIG_FILE, AWS_SHARED_CREDENTIALS_FILE, AWS_ENDPOINT_URL_CLOUDFORMATION: cloud.url };
    const byOption = await enlistProcess(['show', id, '--profile', 'ops'], { env });
    const byVariable = await enlistProcess(['show', id], { env: { ...env, AWS_PROFILE: 'ops' } });
    expect([byOption.stderr, byVariable.stderr]).toEqual([
      'It was refused. Use the app_id of its keystore, or an id that enlist bots printed.\n',
      byOption.stderr,
    ]);
    for (const { headers } of cloud.requests) {
      expect(headers.authorization).toMatch(/Credential=AKIDOPS\/\d{8}\/eu-north-1\/cloudformation\//);
    }
    for (const { headers } of api.requests) {
      expect(headers.authorization).toMatch(/Credential=AKIDOPS\/\d{8}\/eu-north-1\/execute-api\//);
    }
    expect([cloud.requests.length, api.requests.length]).toEqual([2, 2]);
  });

  test('without credentials, region or ApiUrl nothing is called, one sentence explains it, and the exit code is 2', async () => {
    await using cloud = await startCloudFormation('enlist-prod', {});
    const env = { ...identity, AWS_ENDPOINT_URL_CLOUDFORMATION: cloud.url };
    const { AWS_REGION: _, ...withoutRegion } = env;
    const results = await Promise.all([
      enlistProcess(['status', id], { env: { AWS_REGION: 'eu-west-1' } }),
      enlistProcess(['status', id], { env: withoutRegion }),
      enlistProcess(['status', id], { env }),
      enlistProcess(['status', id, '--profile', 'nobody'], { env: { AWS_REGION: 'eu-west-1' } }),
    ]);
    expect(results.map(({ code, stdout }) => [code, stdout])).toEqual(results.map(() => [2, '']));
    expect(results.map(({ stderr }) => stderr.trim().split('\n'))).toEqual([
      [expect.stringContaining('No AWS credentials were found.')],
      [expect.stringContaining('No AWS region is chosen.')],
      ['The stack enlist-prod has no output ApiUrl.'],
      [expect.stringContaining('No AWS credentials were found.')],
    ]);
  });
});

describe('enlist doctor for a stack', () => {
  const answer = (name: string) => ({
    function: name,
    ok: true,
    checks: [{ what: 'table', ok: true }],
  });
  /** A server in place of Lambda. */
  const startLambda = (answerFor: (name: string) => ServerAnswer) =>
    startServer(({ url }) =>
      answerFor(/functions\/([^/]+)\/invocations/.exec(decodeURIComponent(url))?.[1] ?? ''),
    );
  // Nothing listens there; the functions are invoked all the same.
  const outputs = { ApiUrl: 'https://0.0.0.0:1', FunctionNameApi: 'named-by-the-stack' };

  test('enlist doctor invokes each function of a stack with {}, under the name in the outputs or the usual one', async () => {
    await using cloud = await startCloudFormation('enlist-test', outputs);
    await using lambda = await startLambda((name) => ({ status: 200, body: JSON.stringify(answer(name)) }));
    const env = {
      ...identity,
      AWS_ENDPOINT_URL_CLOUDFORMATION: cloud.url,
      AWS_ENDPOINT_URL_LAMBDA: lambda.url,
    };
    const results = await enlistProcess(['doctor', '--stage', 'test', '--json'], { env });
    const [{ ok, findings } = {}] = jsonLines(results) as {
      ok?: boolean;
      findings?: { function: string }[];
    }[];
    expect(findings?.map((finding) => finding.function)).toEqual(['http', ...functionNames]);
    expect(findings?.slice(1)).toEqual(functionNames.map(answer));
    // The API itself cannot be reached.
    expect([results.code, ok, findings?.[0]]).toMatchObject([
      2,
      false,
      { checks: [{ what: 'answers', ok: false }] },
    ]);
    const invocations = lambda.requests.map(({ url, body }) => [url.split('/')[3], body]).sort();
    const usual = functionNames.slice(1).map((name) => [`enlist-test-${name}`, '{}']);
    expect(invocations).toEqual([...usual, ['named-by-the-stack', '{}']].sort());
  });

  test('enlist doctor reports a function of a stack that is absent, forbidden, crashed or unknown, and ends with 2', async () => {
    const answers: Record<string, ServerAnswer> = {
      'named-by-the-stack': {
        status: 404,
        headers: { 'x-amzn-errortype': 'ResourceNotFoundException' },
        body: '{"Message":"Function not found"}',
      },
      'enlist-prod-intake': {
        status: 403,
        headers: { 'x-amzn-errortype': 'AccessDeniedException' },
        body: '{"Message":"not authorized to perform: lambda:InvokeFunction"}',
      },
      'enlist-prod-check': {
        status: 200,
        headers: { 'x-amz-function-error': 'Unhandled' },
        body: '{"errorType":"Error","errorMessage":"environment variables missing or wrong: MIXIN_URL"}',
      },
      'enlist-prod-register': { status: 200, body: '{"hello":1}' },
    };
    await using cloud = await startCloudFormation('enlist-prod', outputs);
    await using lambda = await startLambda(
      (name) => answers[name] ?? { status: 200, body: JSON.stringify(answer(name)) },
    );
    const env = {
      ...identity,
      AWS_ENDPOINT_URL_CLOUDFORMATION: cloud.url,
      AWS_ENDPOINT_URL_LAMBDA: lambda.url,
    };
    const { code, stdout } = await enlistProcess(['doctor'], { env });
    expect(code).toBe(2);
    expect(stdout).toMatch(/^api +invoke +FAILED +.*ResourceNotFoundException: Function not found$/m);
    expect(stdout).toMatch(/^intake +invoke +FAILED +.*AccessDeniedException: not authorized/m);
    expect(stdout).toMatch(
      /^check +invoke +FAILED +Error: environment variables missing or wrong: MIXIN_URL$/m,
    );
    expect(stdout).toMatch(/^register +invoke +FAILED +It did not answer with a smoke test\.$/m);
    expect(stdout).toMatch(/^recheck +table +ok$/m);
    expect(stdout).toContain('Some parts cannot reach what they need.');
  });
});

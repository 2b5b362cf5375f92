/** `npm run openapi`: writes docs/openapi.json, which says what lib/api/contract.ts says. */
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import * as z from 'zod';
import { answerMixinError } from '../lib/api/accounts.ts';
import { answers, type RouteContract, type RouteName, requests, routes } from '../lib/api/contract.ts';
import { fillPath } from '../lib/api/http.ts';
import { capitalize, parseRequest } from '../lib/api/parse-request.ts';
import { answerProblem, type ProblemAnswer, type ProblemCode } from '../lib/api/problems.ts';
import { listFormats } from '../lib/lists/formats.ts';
import { limits } from '../lib/model/limits.ts';
import {
  answerExamples,
  listExamples,
  mixinErrors,
  parameterExamples,
  requestExamples,
} from './openapi-examples.ts';

type Json = Readonly<Record<string, unknown>>;
type Example = readonly [name: string, value: unknown];

const manifest = readFileSync(new URL('../package.json', import.meta.url), 'utf8');
const { version } = JSON.parse(manifest) as { readonly version: string };

const info = {
  title: 'Enlist',
  version,
  license: { name: 'MIT', identifier: 'MIT' },
  description: [
    'Send lists of Mixin bots, and see the status of each on its way into Mixin Safe.',
    'On AWS every request is signed with Signature Version 4 (service `execute-api`), and IAM decides who may send it. On one machine the API listens on 127.0.0.1, answers the programs of this machine only, and asks for no credentials. The API returns no secret: keys that come in a list go to Secrets Manager and cannot be read here.',
    'Errors are problem documents (RFC 9457) with a stable `code`, a `message` and a `fix`. What API Gateway answers by itself, or the gateway in its place on one machine, has the form `{"message": …}` instead: 404 for an address that is not listed here, 413 for a request beyond the gateway\'s own limits, 500 when the function fails, 503 after 30 seconds, and 403 without the right to send the request or, on one machine, for requests of a web page.',
    'Times are ISO 8601 in UTC. All ids are UUIDs.',
  ].join('\n\n'),
};

const tags = [
  { name: 'batches', description: 'Lists that were sent.' },
  { name: 'bots', description: 'The status of each bot.' },
  { name: 'accounts', description: 'Signing accounts in with a code.' },
];

const securitySchemes = {
  sigv4: {
    type: 'apiKey',
    in: 'header',
    name: 'Authorization',
    description: 'AWS Signature Version 4, for the service execute-api. On one machine it is not needed.',
    'x-amazon-apigateway-authtype': 'awsSigv4',
  },
};

/** What a format says in a word needs no pattern beside it, and whole numbers no largest one. */
const tidy = ({ jsonSchema }: { jsonSchema: z.core.JSONSchema.BaseSchema }) => {
  if (jsonSchema.format !== undefined) delete jsonSchema.pattern;
  if (jsonSchema.maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum;
};

const referTo = (name: string) => `#/components/schemas/${name}`;

/** Named schemas, which refer to each other. */
const describeSchemas = (named: Readonly<Record<string, z.ZodType>>, io: 'input' | 'output'): Json => {
  const registry = z.registry<{ id: string }>();
  for (const [name, schema] of Object.entries(named)) registry.add(schema, { id: name });
  const { schemas } = z.toJSONSchema(registry, { io, uri: referTo, override: tidy });
  return Object.fromEntries(
    Object.entries(schemas).map(([name, { $schema: _, $id: __, ...schema }]) => [name, schema]),
  );
};

const findName = (schema: z.ZodType): string => {
  const found = Object.entries({ ...requests, ...answers }).find(([, one]) => one === schema);
  if (!found) throw new Error('a schema of the contract has no name');
  return found[0];
};

const media = (schema: Json, examples: readonly Example[]): Json => ({
  schema,
  examples: Object.fromEntries(examples.map(([name, value]) => [name, { value }])),
});

const describeParameters = (place: 'path' | 'query' | 'header', schema = z.object({})): readonly Json[] => {
  const { properties = {} } = z.toJSONSchema(schema, { io: 'input', override: tidy });
  return Object.entries(properties).map(([name, property]) => {
    const { description, ...rest } = property as Json;
    const example = parameterExamples[name];
    return {
      name: place === 'header' ? capitalize(name) : name,
      in: place,
      required: place === 'path',
      description,
      schema: rest,
      ...(example !== undefined && { example }),
    };
  });
};

const listSchemas = {
  json: { $ref: referTo('List') },
  jsonl: { type: 'string', description: 'One JSON object a line.' },
  csv: { type: 'string', description: 'A header line that names the columns, then one bot a line.' },
  zip: {
    type: 'string',
    description: 'A ZIP archive of keystore files and lists (.json, .jsonl, .ndjson, .csv).',
  },
} as const;

const listBody = {
  required: true,
  description: `The list, at most ${limits.maxInlineBytes.toLocaleString('en-US')} bytes. Its Content-Type names the format; parameters such as charset are ignored, and text must be UTF-8.`,
  content: Object.fromEntries(
    Object.entries(listFormats).map(([type, format]) => {
      const examples =
        format === 'json' ? Object.entries(listExamples.json) : [[format, listExamples[format]]];
      return [type, media(listSchemas[format], examples as readonly Example[])];
    }),
  ),
};

const describeBody = (name: RouteName): Json => {
  const { body }: RouteContract = routes[name];
  if (!body) return {};
  if (body.kind === 'list') return { requestBody: listBody };
  const { documented: schema = body.schema } = body;
  const required = !schema.safeParse({}).success;
  const content = media({ $ref: referTo(findName(schema)) }, Object.entries(requestExamples[name] ?? {}));
  return { requestBody: { required, content: { 'application/json': content } } };
};

const problemSchema = { $ref: referTo('ProblemDocument') };
const describeProblems = (description: string, examples: readonly ProblemAnswer[]): Json => ({
  description,
  content: {
    'application/problem+json': media(
      problemSchema,
      examples.map(({ body }) => [body.code, body]),
    ),
  },
});

const unavailable = {
  ...describeProblems(
    'AWS is unavailable. Nothing is lost, and the request can be sent again; `Retry-After` says when.',
    [answerProblem('aws_unavailable')],
  ),
  headers: { 'Retry-After': { description: 'Seconds.', schema: { type: 'integer' } } },
};
const internalError = describeProblems('Something unexpected happened. The request can be sent again.', [
  answerProblem('internal_error'),
  answerProblem('other_schema'),
]);

const mixinTexts = {
  422: "Mixin refused; the code is Mixin's.",
  429: 'Mixin asks for fewer calls.',
  502: 'Mixin answered with an error, or unreadably: it may have taken effect.',
  503: 'Mixin cannot be reached, and nothing was done.',
  504: 'Mixin did not answer: it may have taken effect.',
} as const;

/** A bad request to every route that checks a parameter or needs a field. */
const badRequest = {
  path: parameterExamples,
  query: { limit: '0' },
  headers: { 'idempotency-key': '' },
  body: new TextEncoder().encode('{}'),
};

/** What the API really answers to a bad request; else the problem as it is in general. */
const showProblem = (name: RouteName, code: ProblemCode): ProblemAnswer => {
  const parsed = parseRequest(name, badRequest);
  return !parsed.ok && parsed.error.body.code === code ? parsed.error : answerProblem(code);
};

/** Problems by status; those that every route may answer are shared. */
const describeRefusals = (name: RouteName): Json => {
  const { problems, mixinStatuses = [] }: RouteContract = routes[name];
  const refusals = [
    ...problems.map((code) => ({ text: answerProblem(code).body.message, example: showProblem(name, code) })),
    ...mixinStatuses.map((status) => ({
      text: mixinTexts[status],
      example: answerMixinError(mixinErrors[status]),
    })),
  ];
  const has503 = mixinStatuses.includes(503);
  if (has503) refusals.push({ text: 'AWS is unavailable.', example: answerProblem('aws_unavailable') });
  const byStatus = Object.groupBy(refusals, ({ example }) => example.status);
  return {
    ...Object.fromEntries(
      Object.entries(byStatus).map(([status, same = []]) => [
        status,
        describeProblems(
          [...new Set(same.map(({ text }) => text))].join(' '),
          same.map(({ example }) => example),
        ),
      ]),
    ),
    500: { $ref: '#/components/responses/InternalError' },
    ...(!has503 && { 503: { $ref: '#/components/responses/Unavailable' } }),
  };
};

const describeAnswer = (name: RouteName): Json => {
  const { status, description, body, location }: RouteContract['answer'] = routes[name].answer;
  const example = location && fillPath(location, parameterExamples);
  return {
    [status]: {
      description,
      ...(location && {
        headers: {
          location: { description: 'GET this path for the status.', schema: { type: 'string' }, example },
        },
      }),
      content: {
        'application/json': media({ $ref: referTo(findName(body)) }, Object.entries(answerExamples[name])),
      },
    },
  };
};

const describeRoute = (name: RouteName): Json => {
  const { tag, summary, description, ...route }: RouteContract = routes[name];
  const parameters = [
    ...describeParameters('path', route.parameters),
    ...describeParameters('query', route.query),
    ...describeParameters('header', route.headers),
  ];
  return {
    operationId: name,
    tags: [tag],
    summary,
    ...(description && { description }),
    ...(parameters.length > 0 && { parameters }),
    ...describeBody(name),
    responses: { ...describeAnswer(name), ...describeRefusals(name) },
  };
};

/** The whole document. */
export const describeApi = (): Json => {
  const paths: Record<string, Record<string, Json>> = {};
  for (const [name, { method, path }] of Object.entries<RouteContract>(routes))
    paths[path] = { ...paths[path], [method.toLowerCase()]: describeRoute(name as RouteName) };
  return {
    openapi: '3.1.0',
    info,
    tags,
    security: [{ sigv4: [] }, {}],
    paths,
    components: {
      securitySchemes,
      responses: { InternalError: internalError, Unavailable: unavailable },
      schemas: { ...describeSchemas(answers, 'output'), ...describeSchemas(requests, 'input') },
    },
  };
};

const file = fileURLToPath(new URL('openapi.json', import.meta.url));

if (import.meta.main) {
  writeFileSync(file, JSON.stringify(describeApi()));
  execFileSync('npx', ['biome', 'format', '--write', file], { stdio: 'inherit' });
}

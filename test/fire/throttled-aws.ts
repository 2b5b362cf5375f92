/**
 * AWS under load: proxies in front of the emulators refuse calls above a rate, with the errors of each service. A
 * refused call has no effect. In trouble, all four services do the same to every call.
 */
import type { Environment } from '../../lib/runtime/config.ts';
import {
  createJsonError,
  type DecideTreatment,
  type Json,
  startAwsProxy,
  type Treatment,
} from './aws-proxy.ts';

/** Calls a second that each service accepts; 0 refuses all of them. */
export interface Rates {
  /** CreateSecret, PutSecretValue and the like. AWS accepts 50. */
  secretWrites: number;
  secretReads: number;
  tableWrites: number;
  tableReads: number;
  /** SendMessageBatch and ChangeMessageVisibility. */
  queues: number;
  uploads: number;
}

/** How often AWS gave each refusal. */
export type Refusals = Record<
  | 'ThrottlingException'
  | 'ProvisionedThroughputExceededException'
  | 'UnprocessedItems'
  | 'UnprocessedKeys'
  | 'RequestThrottled'
  | 'Failed'
  | 'SlowDown',
  number
>;

/** What every call gets. `fails` answers 500 and breaks connections in turn. */
export type TroubleKind = 'none' | 'fails' | 'silence' | 'grant_taken' | 'key_disabled';

export interface AwsTrouble {
  kind: TroubleKind;
  /** Do the calls of the poller fail too? It receives messages and deletes them. */
  readonly stopsPoller: boolean;
}

export interface ThrottledAws extends AsyncDisposable {
  /** The emulators themselves. */
  readonly direct: Environment;
  /** The same emulators, through the proxies. */
  readonly environment: Environment;
  /** May be changed at any time. */
  readonly rates: Rates;
  readonly refusals: Refusals;
  /** May be changed at any time. */
  readonly trouble: AwsTrouble;
}

/** Allows so many calls a second, and at most a fifth of them at once. */
const createBucket = (perSecond: () => number) => {
  const size = () => (perSecond() === 0 ? 0 : Math.max(1, perSecond() / 5));
  let tokens = size();
  let filledAt = performance.now();
  return (): boolean => {
    const now = performance.now();
    tokens = Math.min(size(), tokens + ((now - filledAt) / 1_000) * perSecond());
    filledAt = now;
    if (tokens < 1) return false;
    tokens -= 1;
    return true;
  };
};

/** Every second one is true. */
const createTurn = () => {
  let turn = false;
  return () => {
    turn = !turn;
    return turn;
  };
};

const SECRET_WRITES = /^(Create|Put|Update|Delete|Restore|Tag)/;

const throttleSecrets = (rates: Rates, refusals: Refusals): DecideTreatment => {
  const writes = createBucket(() => rates.secretWrites);
  const reads = createBucket(() => rates.secretReads);
  return (action) => {
    if (SECRET_WRITES.test(action) ? writes() : reads()) return undefined;
    refusals.ThrottlingException += 1;
    return createJsonError('1.1', 'ThrottlingException', 'Rate exceeded');
  };
};

const halves = <T>(items: readonly T[]) => [
  items.slice(0, Math.ceil(items.length / 2)),
  items.slice(Math.ceil(items.length / 2)),
];

/** Forwards half of a batch, and adds the other half to the answer as unprocessed. */
const halveBatch = (body: Buffer, action: 'BatchWriteItem' | 'BatchGetItem'): Treatment => {
  const input = JSON.parse(body.toString()) as { RequestItems: Record<string, unknown> };
  const [[table = '', wanted] = []] = Object.entries(input.RequestItems);
  const asked = (action === 'BatchWriteItem' ? wanted : (wanted as Json).Keys) as unknown[];
  const [done = [], undone = []] = halves(asked);
  if (undone.length === 0) return undefined;
  const of = (items: unknown[]) => ({
    [table]: action === 'BatchWriteItem' ? items : { ...(wanted as Json), Keys: items },
  });
  const name = action === 'BatchWriteItem' ? 'UnprocessedItems' : 'UnprocessedKeys';
  return {
    body: JSON.stringify({ ...input, RequestItems: of(done) }),
    change: (answer) => ({ ...answer, [name]: of(undone) }),
  };
};

const TABLE_WRITES = /^(Put|Update|Delete|BatchWrite|TransactWrite)/;

const throttleTable = (rates: Rates, refusals: Refusals): DecideTreatment => {
  const writes = createBucket(() => rates.tableWrites);
  const reads = createBucket(() => rates.tableReads);
  const turn = createTurn();
  return (action, body) => {
    const isAllowed = TABLE_WRITES.test(action) ? writes() : reads();
    if (isAllowed && (action === 'BatchWriteItem' || action === 'BatchGetItem') && turn()) {
      const treatment = halveBatch(body, action);
      if (treatment) refusals[action === 'BatchWriteItem' ? 'UnprocessedItems' : 'UnprocessedKeys'] += 1;
      return treatment;
    }
    if (isAllowed) return undefined;
    refusals.ProvisionedThroughputExceededException += 1;
    return createJsonError(
      '1.0',
      'com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException',
      'The level of configured provisioned throughput for the table was exceeded. Consider increasing your provisioning level with the UpdateTable API.',
    );
  };
};

/** Every second entry fails inside a 200 answer. */
const failEntries = (body: Buffer): Treatment => {
  const input = JSON.parse(body.toString()) as { Entries: { Id: string }[] };
  const Failed = input.Entries.filter((_, i) => i % 2 === 0).map(({ Id }) => ({
    Id,
    SenderFault: false,
    Code: 'RequestThrottled',
    Message: 'Request is throttled.',
  }));
  const Entries = input.Entries.filter((_, i) => i % 2 === 1);
  const answer = { Successful: [], Failed };
  if (Entries.length === 0)
    return { instead: { status: 200, type: 'application/x-amz-json-1.0', body: JSON.stringify(answer) } };
  return { body: JSON.stringify({ ...input, Entries }), change: (answered) => ({ ...answered, Failed }) };
};

/** Only the functions' own calls are throttled, not those of the poller. */
const QUEUE_CALLS = new Set(['SendMessage', 'SendMessageBatch', 'ChangeMessageVisibility']);

const throttleQueues = (rates: Rates, refusals: Refusals): DecideTreatment => {
  const allows = createBucket(() => rates.queues);
  const turn = createTurn();
  return (action, body) => {
    if (!QUEUE_CALLS.has(action)) return undefined;
    if (!allows()) {
      refusals.RequestThrottled += 1;
      const headers = { 'x-amzn-query-error': 'RequestThrottled;Sender' };
      return createJsonError('1.0', 'com.amazonaws.sqs#RequestThrottled', 'Request is throttled.', headers);
    }
    if (action !== 'SendMessageBatch' || !turn()) return undefined;
    refusals.Failed += 1;
    return failEntries(body);
  };
};

const throttleUploads = (rates: Rates, refusals: Refusals): DecideTreatment => {
  const allows = createBucket(() => rates.uploads);
  return () => {
    if (allows()) return undefined;
    refusals.SlowDown += 1;
    const body = `<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message><RequestId>0</RequestId><HostId>0</HostId></Error>`;
    return { instead: { status: 503, type: 'application/xml', body } };
  };
};

type ServiceName = 'SECRETS_MANAGER' | 'DYNAMODB' | 'SQS' | 'S3';

const createServiceError = (service: ServiceName, status: number, code: string): Treatment => {
  const body =
    service === 'S3'
      ? `<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>${code}</Code><Message>no</Message></Error>`
      : JSON.stringify({ __type: code, message: 'no' });
  const type =
    service === 'S3'
      ? 'application/xml'
      : `application/x-amz-json-1.${service === 'SECRETS_MANAGER' ? 1 : 0}`;
  return { instead: { status, type, body } };
};

const keyErrors: Readonly<Record<ServiceName, string>> = {
  SECRETS_MANAGER: 'DecryptionFailure',
  DYNAMODB: 'com.amazon.coral.service#AccessDeniedException',
  SQS: 'com.amazonaws.sqs#KmsDisabled',
  S3: 'KMS.DisabledException',
};

const createTrouble = (service: ServiceName, trouble: AwsTrouble): DecideTreatment => {
  const breaks = createTurn();
  return (action) => {
    if (trouble.kind === 'none') return undefined;
    if (service === 'SQS' && !trouble.stopsPoller && !QUEUE_CALLS.has(action)) return undefined;
    if (trouble.kind === 'silence') return { instead: 'silence' };
    if (trouble.kind === 'key_disabled') return createServiceError(service, 400, keyErrors[service]);
    if (trouble.kind === 'grant_taken')
      return service === 'S3'
        ? createServiceError(service, 403, 'AccessDenied')
        : createServiceError(service, 400, 'com.amazon.coral.service#AccessDeniedException');
    if (breaks()) return { instead: 'break' };
    return createServiceError(service, 500, service === 'S3' ? 'InternalError' : 'InternalServerError');
  };
};

/** Starts proxies in front of the emulators. */
export const throttleAws = async (
  environment: Environment,
  rates: Rates,
  stopsPoller = false,
): Promise<ThrottledAws> => {
  const trouble: AwsTrouble = { kind: 'none', stopsPoller };
  const refusals: Refusals = {
    ThrottlingException: 0,
    ProvisionedThroughputExceededException: 0,
    UnprocessedItems: 0,
    UnprocessedKeys: 0,
    RequestThrottled: 0,
    Failed: 0,
    SlowDown: 0,
  };
  const through = async (name: ServiceName, decide: DecideTreatment) => {
    const target = environment[`AWS_ENDPOINT_URL_${name}`] ?? '';
    const inTrouble = createTrouble(name, trouble);
    const treat: DecideTreatment = (action, body) => inTrouble(action, body) ?? decide(action, body);
    return { name, target, ...(await startAwsProxy(target, treat)) };
  };
  const proxies = await Promise.all([
    through('SECRETS_MANAGER', throttleSecrets(rates, refusals)),
    through('DYNAMODB', throttleTable(rates, refusals)),
    through('SQS', throttleQueues(rates, refusals)),
    through('S3', throttleUploads(rates, refusals)),
  ]);
  const urls = Object.fromEntries(proxies.map(({ name, url }) => [`AWS_ENDPOINT_URL_${name}`, url]));
  const queues = proxies.find(({ name }) => name === 'SQS');
  const queueUrls = Object.entries(environment).flatMap(([name, value]) =>
    name.endsWith('_QUEUE_URL') ? [[name, value?.replace(queues?.target ?? '', queues?.url ?? '')]] : [],
  );
  return {
    direct: environment,
    environment: { ...environment, ...urls, ...Object.fromEntries(queueUrls) },
    rates,
    refusals,
    trouble,
    [Symbol.asyncDispose]: async () => {
      for (const { stop } of proxies) await stop();
    },
  };
};

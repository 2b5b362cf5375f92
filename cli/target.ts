/** Finds the API, at an address that was given or the one of a stack, and how to send requests to it. */
import { RequestError, UsageError } from './errors.ts';
import { createSignedSend, type Send, sendPlain } from './send.ts';
import type { AwsLocation } from './stack.ts';

/** The stage that `npm run deploy` uses when none is given. */
export const DEFAULT_STAGE = 'prod';

export interface TargetOptions {
  readonly api?: string | undefined;
  readonly stage?: string | undefined;
  readonly region?: string | undefined;
  readonly profile?: string | undefined;
  readonly data?: string | undefined;
}

export interface Target {
  /** Without a trailing slash. */
  readonly url: string;
  /** On this machine, where no credentials are needed. */
  readonly isLocal: boolean;
  readonly aws: AwsLocation;
  readonly send: Send;
  /** Stops an API that was started to read a data folder. */
  readonly stop?: () => Promise<void>;
}

type Environment = Readonly<Record<string, string | undefined>>;

const isLoopback = (hostname: string) =>
  hostname === 'localhost' || hostname === '[::1]' || /^127(\.\d{1,3}){3}$/.test(hostname);

/** Lists hold private keys: without TLS they may only be sent to this machine. */
const parseUrl = (text: string, name: string): URL => {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (!url || !['http:', 'https:'].includes(url.protocol) || url.search !== '' || url.hash !== '') {
    throw new UsageError(`${name} must be an address such as https://… or http://127.0.0.1:8080.`);
  }
  if (url.username !== '' || url.password !== '')
    throw new UsageError(`${name} must not contain a user or password.`);
  if (url.protocol === 'http:' && !isLoopback(url.hostname)) {
    throw new UsageError(`${name} must begin with https: lists hold private keys.`);
  }
  return url;
};

const execApiRegion = /\.execute-api\.([a-z0-9-]+)\.amazonaws\.com(\.cn)?$/;

const formatBaseUrl = (url: URL) => url.href.replace(/\/+$/, '');

/** On this machine requests are signed only with credentials that were given; no others are looked for. */
const createLocalTarget = async (url: URL, aws: AwsLocation, environment: Environment): Promise<Target> => {
  const base = formatBaseUrl(url);
  const target = { url: base, isLocal: true, aws };
  if (aws.profile === undefined && !environment.AWS_ACCESS_KEY_ID) return { ...target, send: sendPlain };
  const { createCredentialsProvider } = await import('./stack.ts');
  const region = aws.region ?? environment.AWS_REGION ?? environment.AWS_DEFAULT_REGION ?? 'us-east-1';
  return { ...target, send: await createSignedSend(region, createCredentialsProvider(aws)) };
};

const createDeployedTarget = async (url: URL, location: AwsLocation): Promise<Target> => {
  const { createCredentialsProvider, findRegion } = await import('./stack.ts');
  const region = location.region ?? execApiRegion.exec(url.hostname)?.[1] ?? (await findRegion(location));
  const aws = { ...location, region };
  const send = await createSignedSend(region, createCredentialsProvider(aws));
  return { url: formatBaseUrl(url), isLocal: false, aws, send };
};

const findStackTarget = async (location: AwsLocation): Promise<Target> => {
  const { describeStack, formatStackName } = await import('./stack.ts');
  const { region, outputs } = await describeStack(location);
  if (!outputs.ApiUrl)
    throw new RequestError(`The stack ${formatStackName(location.stage)} has no output ApiUrl.`);
  return createDeployedTarget(parseUrl(outputs.ApiUrl, 'ApiUrl of the stack'), { ...location, region });
};

/** The API of an `npm start` on this machine, by its data folder. */
const findFolderTarget = async (data: string, aws: AwsLocation, isReading: boolean): Promise<Target> => {
  const { findAddress, openFolder } = await import('./folder-target.ts');
  const { url, stop } = await openFolder(data, isReading);
  const send: Send = async (address, request) => {
    const now = await findAddress(data);
    return sendPlain(now === undefined ? address : address.replace(url, now), request);
  };
  return { url, isLocal: true, aws, send, stop };
};

const isStackChosen = ({ stage, region, profile }: TargetOptions, environment: Environment): boolean =>
  Boolean(stage ?? region ?? profile ?? environment.ENLIST_STAGE);

/** The default folder of an `npm start` that runs now, unless the user asks for a stack. */
const findRunningFolder = async (options: TargetOptions, environment: Environment) => {
  if (isStackChosen(options, environment)) return undefined;
  const folders = await import('./folder-target.ts');
  return folders.findRunningFolder();
};

/**
 * Throws UsageError for a wrong address or stage, and RequestError when the stack cannot be found or nothing runs on the
 * data folder.
 * @param isReading whether an API that can only read will do
 */
export const findTarget = async (
  options: TargetOptions,
  environment: Environment,
  isReading = false,
): Promise<Target> => {
  const stage = options.stage ?? (environment.ENLIST_STAGE || DEFAULT_STAGE);
  if (!/^[a-z0-9-]{1,20}$/.test(stage)) {
    throw new UsageError('--stage must have only lower-case letters, digits and hyphens, such as prod.');
  }
  const aws: AwsLocation = {
    stage,
    ...(options.region !== undefined && { region: options.region }),
    ...(options.profile !== undefined && { profile: options.profile }),
  };
  const { api, data } = options;
  if (api !== undefined && data !== undefined) throw new UsageError('Give --api or --data, not both.');
  const given = api ?? (data === undefined ? environment.ENLIST_API || undefined : undefined);
  if (given === undefined) {
    const folder = data ?? (await findRunningFolder(options, environment));
    if (folder !== undefined) return findFolderTarget(folder, aws, isReading);
    return findStackTarget(aws);
  }
  const url = parseUrl(given, options.api === undefined ? 'ENLIST_API' : '--api');
  return isLoopback(url.hostname) ? createLocalTarget(url, aws, environment) : createDeployedTarget(url, aws);
};

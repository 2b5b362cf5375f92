/** Finds the API and the way to it: an address that was given, or a stack's own. */
import { Refusal, UsageError } from './failure.ts';
import { type Send, sendPlain } from './send.ts';
import type { Identity } from './signing.ts';
import type { AwsPlace } from './stack.ts';

/** The stage that `npm run deploy` takes when none is named. */
export const DEFAULT_STAGE = 'prod';

export interface Wanted {
  readonly api?: string | undefined;
  readonly stage?: string | undefined;
  readonly region?: string | undefined;
  readonly profile?: string | undefined;
}

export interface Target {
  /** Without a trailing slash. */
  readonly url: string;
  /** On this machine, where no credentials are asked for. */
  readonly isLocal: boolean;
  readonly place: AwsPlace;
  readonly send: Send;
}

type Environment = Readonly<Record<string, string | undefined>>;

const isLoopback = (hostname: string) =>
  hostname === 'localhost' || hostname === '[::1]' || /^127(\.\d{1,3}){3}$/.test(hostname);

/** Keys travel in lists: in the clear they may go nowhere but to this machine. */
const readUrl = (text: string, name: string): URL => {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (!url || !['http:', 'https:'].includes(url.protocol) || url.search !== '' || url.hash !== '') {
    throw new UsageError(`${name} takes an address such as https://… or http://127.0.0.1:8080.`);
  }
  if (url.username !== '' || url.password !== '') throw new UsageError(`${name} takes no user or password.`);
  if (url.protocol === 'http:' && !isLoopback(url.hostname)) {
    throw new UsageError(`${name} must begin with https: lists hold private keys.`);
  }
  return url;
};

const execApiRegion = /\.execute-api\.([a-z0-9-]+)\.amazonaws\.com(\.cn)?$/;

/** On this machine only credentials that were named are used; nobody is asked for others. */
const localCredentials = async (
  place: AwsPlace,
  environment: Environment,
): Promise<(() => Promise<Identity>) | undefined> => {
  const isNamed = place.profile !== undefined || Boolean(environment.AWS_ACCESS_KEY_ID);
  return isNamed ? (await import('./stack.ts')).operatorCredentials(place) : undefined;
};

const signed = async (region: string, credentials: () => Promise<Identity>): Promise<Send> =>
  (await import('./signing.ts')).sendSigned({ region, credentials });

const baseOf = (url: URL) => url.href.replace(/\/+$/, '');

const toLocal = async (url: URL, place: AwsPlace, environment: Environment): Promise<Target> => {
  const credentials = await localCredentials(place, environment);
  const region = place.region ?? environment.AWS_REGION ?? environment.AWS_DEFAULT_REGION ?? 'us-east-1';
  const send = credentials ? await signed(region, credentials) : sendPlain;
  return { url: baseOf(url), isLocal: true, place, send };
};

const toDeployed = async (url: URL, place: AwsPlace): Promise<Target> => {
  const { operatorCredentials, usualRegion } = await import('./stack.ts');
  const region = place.region ?? execApiRegion.exec(url.hostname)?.[1] ?? (await usualRegion(place));
  const known = { ...place, region };
  const send = await signed(region, operatorCredentials(known));
  return { url: baseOf(url), isLocal: false, place: known, send };
};

const toStack = async (place: AwsPlace): Promise<Target> => {
  const { describeStack, stackName } = await import('./stack.ts');
  const { region, outputs } = await describeStack(place);
  if (!outputs.ApiUrl) throw new Refusal(`The stack ${stackName(place.stage)} has no output ApiUrl.`);
  return toDeployed(readUrl(outputs.ApiUrl, 'ApiUrl of the stack'), { ...place, region });
};

/** Throws UsageError for an address that is none, and Refusal when no stack can be found. */
export const findTarget = async (wanted: Wanted, environment: Environment): Promise<Target> => {
  const stage = wanted.stage ?? (environment.ENLIST_STAGE || DEFAULT_STAGE);
  if (!/^[a-z0-9-]{1,20}$/.test(stage)) {
    throw new UsageError('--stage takes small letters, digits and hyphens, such as prod.');
  }
  const place: AwsPlace = {
    stage,
    ...(wanted.region !== undefined && { region: wanted.region }),
    ...(wanted.profile !== undefined && { profile: wanted.profile }),
  };
  const given = wanted.api ?? (environment.ENLIST_API || undefined);
  if (given === undefined) return toStack(place);
  const url = readUrl(given, wanted.api === undefined ? 'ENLIST_API' : '--api');
  return isLoopback(url.hostname) ? toLocal(url, place, environment) : toDeployed(url, place);
};

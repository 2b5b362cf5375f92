/** What commands take on the command line. */
import { parseUuid } from '../lib/model/uuid.ts';
import type { Call } from './command.ts';
import { UsageError } from './failure.ts';

const onlyArgument = ({ args }: Call, name: string): string => {
  const [text, ...more] = args;
  if (text === undefined) throw new UsageError(`${name} is missing.`);
  if (more.length > 0) throw new UsageError(`Only one ${name} can be given.`);
  return text;
};

const mustBeUuid = (name: string, origin: string, text: string): string => {
  const uuid = parseUuid(text);
  if (uuid !== undefined) return uuid;
  throw new UsageError(`${name} must be a UUID: ${origin}.`);
};

const uuidArgument = (call: Call, name: string, origin: string): string =>
  mustBeUuid(name, origin, onlyArgument(call, name));

export const batchArgument = (call: Call): string =>
  uuidArgument(call, 'BATCH', 'the batch id that upload printed');
export const botArgument = (call: Call): string =>
  uuidArgument(call, 'USER_ID', "the app_id of the bot's keystore");

export const noArguments = ({ args }: Call): void => {
  if (args.length > 0) throw new UsageError('This command takes options only.');
};

/** Throws UsageError unless it is one of them. */
export const mustBeOneOf = (option: string, allowed: readonly string[], text: string): string => {
  if (!allowed.includes(text)) throw new UsageError(`${option} takes one of ${allowed.join(', ')}.`);
  return text;
};

/** The value of an option that may be absent, made into what it stands for. */
export const optionOf = <T>(call: Call, name: string, read: (text: string) => T): T | undefined => {
  const text = call.text(name);
  return text === undefined ? undefined : read(text);
};

/** Throws UsageError when it is absent. */
export const mustBeGiven = <T>(option: string, value: T | undefined): T => {
  if (value === undefined) throw new UsageError(`${option} is missing.`);
  return value;
};

export const uuidOption = (call: Call, name: string, origin: string): string | undefined =>
  optionOf(call, name, (text) => mustBeUuid(`--${name}`, origin, text));

/** A whole number that is not less than `least` nor more than `most`. */
export const wholeOption = (call: Call, name: string, least: number, most: number): number | undefined =>
  optionOf(call, name, (text) => {
    const number = Number(text);
    if (/^\d{1,15}$/.test(text) && number >= least && number <= most) return number;
    throw new UsageError(`--${name} takes a whole number from ${least} to ${most}.`);
  });

/** An amount of dollars. */
export const usdOption = (call: Call, name: string): number | undefined =>
  optionOf(call, name, (text) => {
    if (/^\d{1,9}(\.\d{1,6})?$/.test(text)) return Number(text);
    throw new UsageError(`--${name} takes US dollars, such as 5 or 5.50.`);
  });

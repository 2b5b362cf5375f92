/** What commands take on the command line. */
import type { Call } from './command.ts';
import { UsageError } from './failure.ts';

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

const onlyArgument = ({ args }: Call, name: string): string => {
  const [text, ...more] = args;
  if (text === undefined) throw new UsageError(`${name} is missing.`);
  if (more.length > 0) throw new UsageError(`Only one ${name} can be given.`);
  return text;
};

const uuidArgument = (call: Call, name: string, origin: string): string => {
  const text = onlyArgument(call, name);
  if (UUID.test(text)) return text.toLowerCase();
  throw new UsageError(`${name} must be a UUID: ${origin}.`);
};

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

/** Parsers of arguments and options. They throw UsageError, which never repeats the value: it may be a secret. */
import { Argument, Option } from 'commander';
import { parseUuid } from '../lib/model/uuid.ts';
import { UsageError } from './errors.ts';

/** @param hint where the user finds the UUID */
export const parseId = (name: string, hint: string) => (text: string) => {
  const id = parseUuid(text);
  if (id !== undefined) return id;
  throw new UsageError(`${name} must be a UUID: ${hint}.`);
};

/** A whole number from `min` to `max`. */
export const parseWholeNumber = (name: string, min: number, max: number) => (text: string) => {
  const number = Number(text);
  if (/^\d{1,15}$/.test(text) && number >= min && number <= max) return number;
  throw new UsageError(`${name} must be a whole number from ${min} to ${max}.`);
};

const parseUsd = (name: string) => (text: string) => {
  if (/^\d{1,9}(\.\d{1,6})?$/.test(text)) return Number(text);
  throw new UsageError(`${name} must be an amount in US dollars, such as 5 or 5.50.`);
};

const BATCH_HINT = 'the batch id that upload printed';

export const batchArgument = () =>
  new Argument('<BATCH>', BATCH_HINT).argParser(parseId('BATCH', BATCH_HINT));

export const acceptCostOption = (description: string) =>
  new Option('--accept-cost <USD>', description).argParser(parseUsd('--accept-cost'));

export const watchOption = (description = 'follow the batch to its end') =>
  new Option('--watch', description);

/** Lines of examples for the end of a help text. */
export const formatExamples = (...lines: readonly string[]): string =>
  ['', 'Examples:', ...lines.map((line) => `  ${line}`)].join('\n');

/** Paragraphs for the description of a command. */
export const joinParagraphs = (...paragraphs: readonly string[]): string => paragraphs.join('\n\n');

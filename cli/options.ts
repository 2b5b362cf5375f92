/** Parsers of arguments and options. They throw UsageError, which never repeats the value: it may be a secret. */
import { Argument, Option } from 'commander';
import { reasonCodes } from '../lib/model/reasons.ts';
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

/** How many letters must be added, removed, replaced or swapped with the next to make one word the other. */
const measureDistance = (a: string, b: string): number => {
  let [beforeLast, last] = [[] as number[], Array.from({ length: b.length + 1 }, (_, j) => j)];
  for (let i = 1; i <= a.length; i += 1) {
    const row = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const isSame = a[i - 1] === b[j - 1];
      const isSwap = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      row[j] = Math.min(
        (last[j] ?? 0) + 1,
        (row[j - 1] ?? 0) + 1,
        (last[j - 1] ?? 0) + (isSame ? 0 : 1),
        isSwap ? (beforeLast[j - 2] ?? 0) + 1 : Number.POSITIVE_INFINITY,
      );
    }
    [beforeLast, last] = [last, row];
  }
  return last[b.length] ?? 0;
};

/** The name that was probably meant: a third of its letters may be wrong. */
const findNearest = (text: string, names: readonly string[]): string | undefined => {
  const distances = names.map((name) => ({ name, distance: measureDistance(text, name) }));
  const [nearest] = distances.sort((a, b) => a.distance - b.distance);
  return nearest && nearest.distance <= nearest.name.length / 3 ? nearest.name : undefined;
};

const parseReason = (text: string): string => {
  const written = text.trim().toLowerCase().replaceAll('-', '_');
  if (reasonCodes.some((code) => code === written)) return written;
  const nearest = findNearest(written, reasonCodes);
  throw new UsageError(
    `--reason must be a reason code. ${nearest === undefined ? 'docs/reasons.md has them all.' : `Did you mean ${nearest}?`}`,
  );
};

/** Only bots whose state has this reason. */
export const reasonOption = () =>
  new Option('--reason <CODE>', 'only bots with this reason code, as enlist bots prints it')
    .choices(reasonCodes)
    .argParser(parseReason);

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

/** CSV text → its records, one after the other (RFC 4180). A cell that breaks the rules breaks its record alone. Pure. */

export interface CsvRecord {
  /** Where it begins, from 1. */
  readonly line: number;
  readonly cells: readonly string[];
  /** A quote stands within a cell, or text after a closing quote. */
  readonly isBroken: boolean;
}

/** Why no record can be told from here on. */
export class CsvProblem extends Error {
  override readonly name = 'CsvProblem';
}

/** Far more than there are names of fields: rows of millions of empty cells would take memory far beyond their size. */
const MAX_COLUMNS = 1_000;

const countLines = (text: string): number => text.split('\n').length - 1;

/** @param text with `\n` as its only line ends @throws CsvProblem */
export function* readRecords(text: string, delimiter: string, firstLine = 1): Generator<CsvRecord> {
  let at = 0;
  let line = firstLine;

  const isSpace = (char: string | undefined) => char === ' ' || (char === '\t' && delimiter !== '\t');
  const skipSpace = () => {
    while (isSpace(text[at])) at += 1;
  };
  const isEnd = () => at >= text.length || text[at] === '\n' || text[at] === delimiter;
  const skipLine = () => {
    while (at < text.length && text[at] !== '\n') at += 1;
  };

  const readQuoted = (): string => {
    const start = at + 1;
    let close = text.indexOf('"', start);
    while (close >= 0 && text[close + 1] === '"') close = text.indexOf('"', close + 2);
    if (close < 0) throw new CsvProblem(`: a quote opens in line ${line} and never closes`);
    at = close + 1;
    const cell = text.slice(start, close);
    line += countLines(cell);
    return cell.replaceAll('""', '"');
  };

  const readBare = (): string => {
    const start = at;
    while (!isEnd()) at += 1;
    return text.slice(start, at).trim();
  };

  while (at < text.length) {
    const startLine = line;
    const cells: string[] = [];
    let isBroken = false;
    for (;;) {
      skipSpace();
      const isQuoted = text[at] === '"';
      const cell = isQuoted ? readQuoted() : readBare();
      cells.push(cell);
      if (cells.length > MAX_COLUMNS) {
        throw new CsvProblem(`: a row has more than ${MAX_COLUMNS} columns`);
      }
      if (isQuoted) skipSpace();
      if (!isEnd() || (!isQuoted && cell.includes('"'))) {
        isBroken = true;
        skipLine();
      }
      if (text[at] !== delimiter) break;
      at += 1;
    }
    at += 1;
    line += 1;
    yield { line: startLine, cells, isBroken };
  }
}

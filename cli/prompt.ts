/** Asks the user at a terminal, or reads what is piped in line by line. */
import { on } from 'node:events';
import { createInterface } from 'node:readline';
import { Writable } from 'node:stream';

/** Passes on only what is written while it is open. */
const createGate = (output: NodeJS.WritableStream) => {
  const gate = { isOpen: false };
  const stream = new Writable({
    write: (chunk, _encoding, done) => {
      if (gate.isOpen) output.write(chunk);
      done();
    },
  });
  return { gate, stream };
};

/** @param input a terminal, or lines that are piped in; not read before the first question */
export const openPrompt = (
  input: NodeJS.ReadableStream & { readonly isTTY?: boolean },
  output: NodeJS.WritableStream,
  signal: AbortSignal,
) => {
  const isTerminal = input.isTTY === true;
  const { gate, stream } = createGate(output);

  const open = () => {
    const lines = createInterface({ input, output: stream, terminal: isTerminal, historySize: 0 });
    // In a terminal that is read key by key, Ctrl-C arrives as a key.
    lines.on('SIGINT', () => process.kill(process.pid, 'SIGINT'));
    return { lines, events: on(lines, 'line', { close: ['close'], signal }) };
  };
  let reader: ReturnType<typeof open> | undefined;

  const nextLine = async (question: string, isShown: boolean): Promise<string | undefined> => {
    reader ??= open();
    if (isTerminal) output.write(question);
    gate.isOpen = isTerminal && isShown;
    let line: string | undefined;
    try {
      const { value } = await reader.events.next();
      [line] = (value ?? []) as [string?];
    } finally {
      gate.isOpen = false;
      // The end of this line was not shown.
      if (isTerminal && (!isShown || line === undefined)) output.write('\n');
    }
    return line?.trim();
  };

  return {
    /** The user can be asked again. */
    isTerminal,
    /** The next line, trimmed, or undefined when there is none. In a terminal the question is shown first. */
    ask: (question: string) => nextLine(question, true),
    /** The same, and what is typed is not shown. */
    askHidden: (question: string) => nextLine(question, false),
    [Symbol.dispose]: () => reader?.lines.close(),
  };
};
export type Prompt = ReturnType<typeof openPrompt>;

/** What a command of `enlist` is, and what it gets to work with. */
import type { ApiClient } from './api-client.ts';
import type { Output } from './output.ts';
import type { Target } from './target.ts';
import type { Terminal } from './terminal.ts';

export interface Option {
  readonly type: 'string' | 'boolean';
  readonly multiple?: boolean;
  /** Stands for the value in the help. */
  readonly value?: string;
  readonly help: string;
}
export type Options = Readonly<Record<string, Option>>;

export interface Call {
  /** What stands on the command line beside the command and its options. */
  readonly args: readonly string[];
  flag(name: string): boolean;
  text(name: string): string | undefined;
  texts(name: string): readonly string[];
  readonly terminal: Terminal;
  /** Where answers go. */
  readonly output: Output;
  /** Fires at Ctrl-C. */
  readonly signal: AbortSignal;
  /** Finds the API and the way to it. Throws Refusal or UsageError. */
  target(): Promise<Target>;
  api(): Promise<ApiClient>;
}

export interface Command {
  /** `name ARGUMENT`, as one types it. */
  readonly usage: string;
  /** One line. */
  readonly summary: string;
  /** What else there is to know; the last lines say what --json prints. */
  readonly details: readonly string[];
  readonly options: Options;
  /** Returns the exit code. */
  readonly run: (call: Call) => Promise<number>;
}

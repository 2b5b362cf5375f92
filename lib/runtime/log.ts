import { allowedFields, type Log, type LogFields, logMessages } from '../model/log.ts';

/**
 * Creates the log. `write` gets each line without its line end; every line has the fields of `base` too.
 * The field `error` is the code or name of an error (findErrorCode), never its text, which may quote input.
 */
export const createLog = (write: (line: string) => void, now: () => number, base: LogFields = {}): Log => {
  return (level, code, fields = {}) => {
    const line: Record<string, unknown> = {
      time: new Date(now()).toISOString(),
      level,
      code,
      message: logMessages[code],
    };
    const all = { ...base, ...fields };
    // guard: log-line-has-allowed-fields-only
    for (const name of allowedFields) if (all[name] !== undefined) line[name] = all[name];
    write(JSON.stringify(line));
  };
};

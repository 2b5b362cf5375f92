import { allowed, type Log, type LogFields, logMessages } from '../model/log.ts';

/**
 * Makes the log. `write` gets one line without its line end; `base` is added to each.
 * `error` fields should be an error's name or code, never its text: texts may quote input.
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
    for (const name of allowed) if (all[name] !== undefined) line[name] = all[name];
    write(JSON.stringify(line));
  };
};

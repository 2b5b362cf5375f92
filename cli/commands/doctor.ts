/** doctor: checks whether every part of the system can reach what it needs. */
import type { Command } from 'commander';
import { type ApiClient, ApiError } from '../api-client.ts';
import type { Context, Run } from '../context.ts';
import { RequestError } from '../errors.ts';
import { exitCodes } from '../exit-codes.ts';
import type { Check, Diagnosis } from '../lambda.ts';
import { joinParagraphs } from '../options.ts';
import { alignColumns } from '../output.ts';

/** No bot has this id. The answer "no such bot" shows that the API works and that the operator may use it. */
const PROBE_ID = '00000000-0000-0000-0000-000000000000';

/** Throws RequestError when no API runs on this machine: its functions do not run either. */
const checkApi = async (api: ApiClient, isLocal: boolean): Promise<Diagnosis> => {
  const answer = await api.readBot(PROBE_ID).then(
    () => undefined,
    (error: unknown) => error,
  );
  if (isLocal && answer instanceof RequestError && !(answer instanceof ApiError)) throw answer;
  const ok = answer instanceof ApiError && answer.code === 'no_such_bot';
  const message = answer instanceof Error ? answer.message : 'It answered for a bot that does not exist.';
  const check: Check = { what: 'answers', ok, ...(!ok && { message }) };
  return { function: 'http', ok, checks: [check] };
};

const formatTable = (parts: readonly Diagnosis[]): string[] =>
  alignColumns([
    ['part', 'reaches', '', ''],
    ...parts.flatMap((part) =>
      part.checks.map(({ what, ok, message = '' }) => [part.function, what, ok ? 'ok' : 'FAILED', message]),
    ),
  ]);

/** Each fix once, with the parts it is for. */
const formatFixes = (parts: readonly Diagnosis[]): string[] => {
  const namesByFix = new Map<string, string[]>();
  for (const { function: name, checks } of parts) {
    for (const { fix } of checks) {
      if (fix) namesByFix.set(fix, [...(namesByFix.get(fix) ?? []), name]);
    }
  }
  return [...namesByFix].map(([fix, names]) => `${names.join(', ')}: ${fix}`);
};

const examine = async ({ findTarget, connect, output }: Context) => {
  const target = await findTarget();
  const { invokeFunctions } = await import('../lambda.ts');
  const http = await checkApi(await connect(), target.isLocal);
  const findings = [http, ...(await invokeFunctions(target))];
  const ok = findings.every((part) => part.ok);
  output.writeJson({ ok, findings });
  output.writeLines([...formatTable(findings), '', ...formatFixes(findings)]);
  output.writeLine(ok ? `Everything works at ${target.url}.` : 'Some parts cannot reach what they need.');
  return ok ? exitCodes.done : exitCodes.refused;
};

export const addDoctor = (program: Command, run: Run): void => {
  program
    .command('doctor')
    .summary('Checks whether every part can reach what it needs.')
    .description(
      joinParagraphs(
        'Checks whether the API and every function can reach what they need: the table, the queues, the vault, the upload bucket and Mixin. Nothing is written, so a check that passes shows only that reading works.',
        'On AWS you need the permission lambda:InvokeFunction.',
        '--json prints {"ok", "findings": [{"function", "ok", "checks": [{"what", "ok", "code", "message", "fix"}]}]}.',
      ),
    )
    .action(run(examine));
};

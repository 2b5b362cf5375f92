/** doctor: does every part of the system reach what it needs? */
import { type ApiClient, ApiError } from '../api-client.ts';
import { noArguments } from '../arguments.ts';
import type { Command } from '../command.ts';
import type { Check, Finding } from '../doctor.ts';
import { exitCodes, Refusal } from '../failure.ts';
import { columns } from '../output.ts';

/** No bot has this id: the API's own "no such bot" shows that it answers and that this user may ask. */
const PROBE_ID = '00000000-0000-0000-0000-000000000000';

/** Throws Refusal when nobody is there on this machine: then the functions are not there either. */
const askApi = async (api: ApiClient, isLocal: boolean): Promise<Finding> => {
  const said = await api.readBot(PROBE_ID).then(
    () => undefined,
    (error: unknown) => error,
  );
  if (isLocal && said instanceof Refusal && !(said instanceof ApiError)) throw said;
  const ok = said instanceof ApiError && said.code === 'no_such_bot';
  const message = said instanceof Error ? said.message : 'It answered for a bot that does not exist.';
  const check: Check = { what: 'answers', ok, ...(!ok && { message }) };
  return { function: 'http', ok, checks: [check] };
};

const row = (name: string, { what, ok, message = '' }: Check): string[] => [
  name,
  what,
  ok ? 'ok' : 'FAILED',
  message,
];

const tableLines = (findings: readonly Finding[]): string[] =>
  columns([
    ['part', 'reaches', '', ''],
    ...findings.flatMap((finding) => finding.checks.map((check) => row(finding.function, check))),
  ]);

/** Each fix once, with the parts it is for. */
const fixLines = (findings: readonly Finding[]): string[] => {
  const parts = new Map<string, string[]>();
  for (const { function: name, checks } of findings) {
    for (const { fix } of checks) if (fix) parts.set(fix, [...(parts.get(fix) ?? []), name]);
  }
  return [...parts].map(([fix, names]) => `${names.join(', ')}: ${fix}`);
};

export const doctor: Command = {
  usage: 'doctor',
  summary: 'Asks the API and every function whether they reach what they need.',
  details: [
    'Each function tries its own table, queues, vault, upload bucket and Mixin; nothing is written. On AWS you must',
    'be allowed to lambda:InvokeFunction.',
    '--json prints {"ok", "findings": [{"function", "ok", "checks": [{"what", "ok", "code", "message", "fix"}]}]}.',
  ],
  options: {},
  run: async (call) => {
    noArguments(call);
    const target = await call.target();
    const { askFunctions } = await import('../doctor.ts');
    const http = await askApi(await call.api(), target.isLocal);
    const findings = [http, ...(await askFunctions(target))];
    const ok = findings.every((finding) => finding.ok);
    call.output.json({ ok, findings });
    for (const line of [...tableLines(findings), '', ...fixLines(findings)]) call.output.line(line);
    call.output.line(ok ? `All is well at ${target.url}.` : 'Something is out of reach.');
    return ok ? exitCodes.done : exitCodes.refused;
  },
};

import { describe, expect, test } from 'vitest';
import { exitCodes } from '../../cli/exit-codes.ts';
import { createProgram } from '../../cli/program.ts';
import { updatePage } from '../../docs/cli.ts';
import { keystoreFields } from '../../lib/lists/names.ts';
import { signInFields } from '../../lib/lists/row-enrolment.ts';
import { readPage } from '../docs/page.ts';
import { enlist, enlistProcess } from './run.ts';

const page = readPage('docs/cli.md');
const program = createProgram(() => async () => undefined, process);
const names = program.commands.map((command) => command.name());

test('docs/cli.md has the help of every command as it is; npm run docs:cli writes it', () => {
  expect(page).toBe(updatePage(page));
  for (const name of names) expect(page).toContain(`Usage: enlist ${name} `);
});

test.concurrent.each(names)('enlist help %s prints what its --help prints', async (name) => {
  const [option, short, command] = await Promise.all([
    enlist([name, '--help']),
    enlist([name, '-h']),
    enlist(['help', name]),
  ]);
  expect(option).toMatchObject({ code: 0, stderr: '' });
  expect(option.stdout).toMatch(new RegExp(`^Usage: enlist ${name} `));
  expect(option.stdout).toContain('--api <URL>');
  expect([short, command]).toEqual([option, option]);
});

test('enlist --help names every command and exit code, and goes to stderr when no command is given', async () => {
  const [option, command, nothing] = await Promise.all([
    enlistProcess(['--help']),
    enlist(['help']),
    enlistProcess([]),
  ]);
  for (const name of names) expect(option.stdout).toMatch(new RegExp(`^  ${name} +`, 'm'));
  for (const code of Object.values(exitCodes)) expect(option.stdout).toMatch(new RegExp(`^  ${code}  `, 'm'));
  expect(option).toMatchObject({ code: 0, stderr: '' });
  expect(command).toEqual(option);
  expect(nothing).toEqual({ code: 1, stdout: '', stderr: option.stdout });
});

test('no line of a help text is longer than 80 columns', async () => {
  const texts = await Promise.all(['enlist', ...names].map((name) => enlist(['help', name])));
  const lines = texts.flatMap(({ stdout }) => stdout.split('\n'));
  expect(lines.length).toBeGreaterThan(100);
  expect(lines.filter((line) => line.length > 80)).toEqual([]);
});

test('the exit codes are in enlist --help, and not again in the help of a command', async () => {
  const texts = await Promise.all(names.map((name) => enlist(['help', name])));
  for (const { stdout } of texts) expect(stdout).not.toMatch(/exit code \d/i);
});

test('no text has a colour, whatever the environment asks for', async () => {
  const env = { FORCE_COLOR: '1', CLICOLOR_FORCE: '1', COLORTERM: 'truecolor' };
  const results = await Promise.all([['--help'], ['stats'], []].map((args) => enlistProcess(args, { env })));
  for (const { stdout, stderr } of results) expect(stdout + stderr).not.toContain('\u001B');
});

test('enlist --version prints the version of package.json', async () => {
  const { version } = JSON.parse(readPage('package.json'));
  expect(await enlist(['--version'])).toEqual({ code: 0, stdout: `${version}\n`, stderr: '' });
});

describe('wrong command lines', () => {
  const id = '00000000-0000-4000-8000-000000000001';
  const api = ['--api', 'http://127.0.0.1:1'];
  test.concurrent.each([
    [['stats'], "Unknown command 'stats'. Did you mean status?"],
    [['help', 'uplaod'], "Unknown command 'uplaod'. Did you mean upload?"],
    [['--vresion'], "Unknown option '--vresion'. Did you mean --version?"],
    [['completion', 'tcsh'], 'Allowed choices are bash, zsh, fish.'],
    [['status'], "Missing required argument 'BATCH'."],
    [['status', id, id], "Too many arguments for 'status'. Expected 1 argument but got 2."],
    [['watch', 'latest'], 'BATCH must be a UUID: the batch id that upload printed.'],
    [['show', '42'], "BOT_ID must be a UUID: the app_id of the bot's keystore."],
    [['bots', id, '--state', 'lost'], 'Allowed choices are queued, enrolling, registering,'],
    [['retry', id, '--state', 'registered'], '--state must be one of blocked, failed, waiting, external.'],
    [
      ['retry', id, '--reason', 'sesion_refused'],
      '--reason must be a reason code. Did you mean session_refused?',
    ],
    [['retry', id, '--reason', 'pin-lokced'], '--reason must be a reason code. Did you mean pin_locked?'],
    [['bots', id, '--reason', 'staled'], '--reason must be a reason code. Did you mean stalled?'],
    [['retry', id, '--reason', 'x'], '--reason must be a reason code. docs/reasons.md has them all.'],
    [['retry', id, '--sate', 'x'], "Unknown option '--sate'. Did you mean --state?"],
    [['bots', id, '--state'], "Option '--state <STATE>' argument missing."],
    [['upload'], "Missing required argument 'FILE'."],
    [['upload', 'list.txt'], 'list.txt is not a list: expected .json, .jsonl, .ndjson, .csv or .zip.'],
    [['upload', '-'], 'A list from stdin needs --type'],
    [['upload', '-', '--type', 'xml'], 'Allowed choices are json, jsonl, ndjson, csv, zip.'],
    [['upload', '-', '--type', 'csv'], '- is empty.'],
    [['upload', 'a.json', 'a.json'], 'a.json is given twice.'],
    [['template', 'x'], "Too many arguments for 'template'. Expected 0 arguments but got 1."],
    [['retry', id, '--state', 'unsure'], '--state must be one of blocked, failed, waiting, external.'],
    [
      ['retry', id, '--pay-again', '--state', 'blocked'],
      "'--pay-again' cannot be used with option '--state <STATE>'.",
    ],
    [['confirm', id], "Required option '--accept-cost <USD>' not specified."],
    [['confirm', id, '--accept-cost'], "Option '--accept-cost <USD>' argument missing."],
    [['confirm', id, '--accept-cost', '-5'], '--accept-cost must be an amount in US dollars'],
    [
      ['confirm', id, '--accept-cost', '5 USD'],
      '--accept-cost must be an amount in US dollars, such as 5 or 5.50.',
    ],
    [['create'], "Required option '--owner <BOT_ID>' not specified."],
    [['create', '--owner', 'me'], '--owner must be a UUID: the app_id of the bot that creates them.'],
    [['create', '--owner', id, '--full-name', 'A'], "Required option '--count <N>' not specified."],
    [['create', '--owner', id, '--count', '1.5'], '--count must be a whole number from 1 to'],
    [['create', '--owner', id, '--count', '0'], '--count must be a whole number from 1 to'],
    [['create', '--owner', id, '--count', '2', '--full-name', ' '], '--full-name is empty.'],
    [
      ['sign-in', '--phone', '0151 23'],
      'A phone number must begin with + and the country code, and have only digits.',
    ],
    [['sign-in', '--session-key', 'dsa'], 'Allowed choices are ed25519, rsa.'],
    [['sign-in', '--verification', '1'], '--verification must be a UUID: the id that sign-in printed.'],
    [['sign-in', '--verification', id, '--phone', '+15550100'], "cannot be used with option '--phone"],
    [['sign-in', '--registration-id', 'x'], '--registration-id must be a whole number'],
    [['sign-in', '--device-id', 'x'], '--device-id must be a UUID'],
    [
      ['sign-in', '--captcha-file', 'package.json'],
      'package.json must have a JSON object of strings in it: g_recaptcha_',
    ],
    [['sign-in', '--notification-token-file', 'absent'], 'absent cannot be read: there is no such file.'],
    [['sign-in'], 'No phone number was given.'],
    [['status', id, '--api', 'localhost:80'], '--api must be an address such as'],
    [['status', id, '--api', 'http://example.com'], '--api must begin with https: lists hold private keys.'],
    [['status', id, '--api', 'https://me:it@example.com'], '--api must not contain a user or password.'],
    [['status', id, '--stage', 'No Such'], '--stage must have only lower-case letters'],
  ])('a wrong command line is explained in one line, and nothing is sent: %j', async (args, sentence) => {
    const commandLine = args.includes('--api') || args.includes('--stage') ? args : [...args, ...api];
    const { code, stdout, stderr } = await enlist(commandLine);
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toContain(sentence);
    expect(stderr).toMatch(/^[^\n]+ See enlist( [\w-]+)? --help\n$/);
  });
});

test('enlist template prints a CSV header and a JSON row for each kind of row', async () => {
  const [text, json] = await Promise.all([enlist(['template']), enlist(['template', '--json'])]);
  const templates: Record<string, { csv_header: string; json_row: Record<string, string> }> = JSON.parse(
    json.stdout,
  );
  const names = (kind: string) => Object.keys(templates[kind]?.json_row ?? {});
  expect(Object.keys(templates)).toEqual(['keystore', 'sign_in', 'network_user']);
  for (const [kind, { csv_header, json_row }] of Object.entries(templates)) {
    expect(csv_header.split(',')).toEqual(names(kind));
    expect(Object.values(json_row).join()).toMatch(/^(<[^>]+>,?)+$/);
    expect(text.stdout).toContain(`\n${csv_header}\n\n${JSON.stringify(json_row, undefined, 2)}\n`);
  }
  for (const name of names('keystore')) expect(Object.values(keystoreFields).flat()).toContain(name);
  expect(names('sign_in').sort()).toEqual(['verification_id', ...Object.keys(signInFields)].sort());
  expect(names('network_user')).toEqual(['owner', 'full_name']);
});

import { describe, expect, test } from 'vitest';
import { commands } from '../../cli/commands/index.ts';
import { signInFields } from '../../lib/lists/row-enrolment.ts';
import { keystoreFields } from '../../lib/lists/row-keystore.ts';
import { readPage, section } from '../docs/page.ts';
import { enlist, enlistProcess } from './run.ts';

const page = readPage('docs/cli.md');
const names = commands.map(({ usage }) => usage.split(' ')[0] ?? '');
/** The first block of code under a heading. */
const blockUnder = (heading: string) => /```text\n([\s\S]*?)```/.exec(section(page, heading))?.[1];

describe('docs/cli.md says what --help says', () => {
  test('of the whole', async () => {
    const [asked, helped, nothing] = await Promise.all([
      enlistProcess(['--help']),
      enlist(['help']),
      enlistProcess([]),
    ]);
    expect(asked).toEqual({ code: 0, stdout: blockUnder('## enlist'), stderr: '' });
    expect(helped).toEqual(asked);
    expect(nothing).toEqual({ code: 1, stdout: '', stderr: 'A command is missing. See enlist --help.\n' });
  });

  test.concurrent.each(names)('of %s', async (name) => {
    const ran = await enlist(name === 'upload' ? ['help', name] : [name, '--help']);
    expect(ran).toEqual({ code: 0, stdout: blockUnder(`## ${name}`), stderr: '' });
  });

  test('no command is left out', () => {
    const headings = [...page.matchAll(/^## ([\w-]+)$/gm)].map(([, name]) => name);
    expect(headings.filter((name) => names.includes(name ?? ''))).toEqual(names);
  });
});

describe('what is wrong is told in one sentence, and nothing is sent', () => {
  const id = '00000000-0000-4000-8000-000000000001';
  const api = ['--api', 'http://127.0.0.1:1'];
  test.concurrent.each([
    [['stats'], 'There is no command stats. There are'],
    [['status'], 'BATCH is missing.'],
    [['status', id, id], 'Only one BATCH can be given.'],
    [['watch', 'latest'], 'BATCH must be a UUID: the batch id that upload printed.'],
    [['show', '42'], "USER_ID must be a UUID: the app_id of the bot's keystore."],
    [['bots', id, '--state', 'lost'], '--state takes one of queued, enrolling, registering,'],
    [['retry', id, '--state', 'registered'], '--state takes one of blocked, failed, waiting, external.'],
    [['retry', id, '--sate', 'x'], "Unknown option '--sate'."],
    [['bots', id, '--state'], '--state needs a value.'],
    [['upload'], 'FILE is missing.'],
    [['upload', 'list.txt'], 'The name of list.txt does not end in .json, .jsonl, .csv or .zip'],
    [['upload', '-'], 'A list from stdin needs --type'],
    [['upload', '-', '--type', 'xml'], '--type takes json, jsonl, csv or zip, not xml.'],
    [['upload', '-', '--type', 'csv'], '- is empty.'],
    [['upload', 'a.json', 'a.json'], 'a.json is named twice.'],
    [['template', 'x'], 'This command takes options only.'],
    [['retry', id, '--state', 'unsure'], '--state takes one of blocked, failed, waiting, external.'],
    [['retry', id, '--pay-again', '--state', 'blocked'], '--pay-again goes without --state.'],
    [['confirm', id], '--accept-cost is missing.'],
    [['confirm', id, '--accept-cost'], '--accept-cost needs a value.'],
    [['confirm', id, '--accept-cost', '-5'], '--accept-cost needs a value.'],
    [['confirm', id, '--accept-cost', '5 USD'], '--accept-cost takes US dollars, such as 5 or 5.50.'],
    [['create'], '--owner is missing.'],
    [['create', '--owner', 'me'], '--owner must be a UUID: the user id of the bot that creates them.'],
    [['create', '--owner', id, '--full-name', 'A'], '--count is missing.'],
    [['create', '--owner', id, '--count', '1.5'], '--count takes a whole number from 1 to'],
    [['create', '--owner', id, '--count', '0'], '--count takes a whole number from 1 to'],
    [['create', '--owner', id, '--count', '2', '--full-name', ' '], '--full-name is empty.'],
    [['sign-in', '--phone', '0151 23'], 'A phone number begins with + and the country, and has digits only.'],
    [['sign-in', '--session-key', 'dsa'], '--session-key takes one of ed25519, rsa.'],
    [['sign-in', '--verification', '1'], '--verification must be a UUID: the id that sign-in printed.'],
    [['sign-in', '--verification', id, '--phone', '+15550100'], '--verification goes on with one.'],
    [['sign-in', '--registration-id', 'x'], '--registration-id takes a whole number'],
    [['sign-in', '--device-id', 'x'], '--device-id must be a UUID'],
    [
      ['sign-in', '--captcha-file', 'package.json'],
      'package.json must hold a JSON object of strings: g_recaptcha_',
    ],
    [['sign-in', '--notification-token-file', 'absent'], 'absent cannot be read: there is no such file.'],
    [['sign-in'], 'No phone number was given.'],
    [['status', id, '--api', 'localhost:80'], '--api takes an address such as'],
    [['status', id, '--api', 'http://example.com'], '--api must begin with https: lists hold private keys.'],
    [['status', id, '--api', 'https://me:it@example.com'], '--api takes no user or password.'],
    [['status', id, '--stage', 'No Such'], '--stage takes'],
  ])('%j', async (args, sentence) => {
    const given = args.includes('--api') || args.includes('--stage') ? args : [...args, ...api];
    const { code, stdout, stderr } = await enlist(given);
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toContain(sentence);
    expect(stderr).toMatch(/^[^\n]+ See enlist( [\w-]+)? --help\.\n$/);
  });
});

test('template shows what a list looks like', async () => {
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

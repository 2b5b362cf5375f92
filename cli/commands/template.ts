/** template: shows what the rows of a list look like. */
import type { Command } from 'commander';
import type { Context, Run } from '../context.ts';
import { exitCodes } from '../exit-codes.ts';
import { joinParagraphs } from '../options.ts';

const examples = {
  keystore: {
    app_id: '<user id of the bot, a UUID>',
    session_id: '<a UUID>',
    server_public_key: '<64 hex characters>',
    session_private_key: '<64 hex characters>',
    spend_private_key: '<64 hex characters; leave it out to have Enlist create the key>',
    tip_private_key: '<64 hex characters; leave it out if the bot has no TIP PIN>',
    pin: '<six digits; leave it out unless the bot has a six-digit PIN>',
  },
  sign_in: {
    verification_id: '<the id that Mixin answered when the code was requested, a UUID>',
    code: '<the code that Mixin sent to the phone>',
    session_key: '<ed25519 or rsa; leave it out for ed25519>',
    device_id: '<a UUID; leave it out if Enlist requested the code>',
    platform: '<iOS or Android; leave this and the next five out for the defaults>',
    platform_version: '<version of the platform>',
    app_version: '<version of the app>',
    package_name: '<package of the app>',
    notification_token: '<token for push notifications>',
    registration_id: '<a whole number>',
    purpose: '<SESSION; leave it out>',
  },
  network_user: {
    owner: '<user id of the bot that creates the user and pays for it, a UUID>',
    full_name: '<name of the user>',
  },
} as const;
type Kind = keyof typeof examples;
const kinds = Object.keys(examples) as Kind[];

const titles: Readonly<Record<Kind, string>> = {
  keystore: 'A bot, by its keystore (the field names of older formats work too)',
  sign_in: 'An account that signs in with a code',
  network_user: 'A user that a bot creates, which costs money',
};

const createTemplate = (kind: Kind) => ({
  csv_header: Object.keys(examples[kind]).join(','),
  json_row: examples[kind],
});

const describeKind = (kind: Kind): readonly string[] => {
  const { csv_header, json_row } = createTemplate(kind);
  return ['', `${titles[kind]}:`, '', csv_header, '', JSON.stringify(json_row, undefined, 2)];
};

const INTRODUCTION = [
  'A CSV list begins with a line of column names; each further line is one row.',
  'A JSON list is an array of rows, and a JSON Lines list has one row on each line.',
  'A list can have rows of all kinds, but each row is of one kind.',
];

const printTemplates = async ({ output }: Context) => {
  output.writeJson(Object.fromEntries(kinds.map((kind) => [kind, createTemplate(kind)])));
  output.writeLines([...INTRODUCTION, ...kinds.flatMap(describeKind)]);
  return exitCodes.done;
};

export const addTemplate = (program: Command, run: Run): void => {
  program
    .command('template')
    .summary('Shows what a list looks like.')
    .description(
      joinParagraphs(
        'Shows what a list looks like: for each kind of row the header of a CSV and an example in JSON. The kinds are a keystore, a sign-in, and a user that a bot creates. docs/keystores.md describes all formats.',
        '--json prints {"keystore", "sign_in", "network_user"}, each {"csv_header", "json_row"}.',
      ),
    )
    .action(run(printTemplates));
};

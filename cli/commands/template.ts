/** template: what the rows of a list look like. */
import { noArguments } from '../arguments.ts';
import type { Command } from '../command.ts';
import { exitCodes } from '../failure.ts';

const examples = {
  keystore: {
    app_id: '<user id of the bot, a UUID>',
    session_id: '<a UUID>',
    server_public_key: '<64 hex characters>',
    session_private_key: '<64 hex characters>',
    spend_private_key: '<64 hex characters; leave it out if Enlist shall make the key>',
    tip_private_key: '<64 hex characters; leave it out if the bot has no TIP PIN>',
    pin: '<six digits; leave it out unless the bot has a six-digit PIN>',
  },
  sign_in: {
    verification_id: '<what Mixin answered when the code was asked for, a UUID>',
    code: '<what Mixin sent to the phone>',
    session_key: '<ed25519 or rsa; leave it out for ed25519>',
    device_id: '<a UUID; leave it out if Enlist asked for the code>',
    platform: '<iOS or Android; leave it out for the usual, as the next five>',
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

const titles: Readonly<Record<Kind, string>> = {
  keystore: 'A bot, by its keystore (older formats have other names for the same, and are read as they are)',
  sign_in: 'An account that is signed in with a code',
  network_user: 'A user that a bot creates, which costs money',
};

const kinds = Object.keys(examples) as Kind[];
const templateOf = (kind: Kind) => ({
  csv_header: Object.keys(examples[kind]).join(','),
  json_row: examples[kind],
});

const linesOf = (kind: Kind): readonly string[] => {
  const { csv_header, json_row } = templateOf(kind);
  return ['', `${titles[kind]}:`, '', csv_header, '', JSON.stringify(json_row, undefined, 2)];
};

export const template: Command = {
  usage: 'template',
  summary: 'Prints what a list looks like: for each kind of row the header of a CSV and an example in JSON.',
  details: [
    'The kinds are a keystore, a sign-in, and a user that a bot creates. docs/keystores.md tells what else is read.',
    '--json prints {"keystore", "sign_in", "network_user"}, each {"csv_header", "json_row"}.',
  ],
  options: {},
  run: async (call) => {
    noArguments(call);
    call.output.json(Object.fromEntries(kinds.map((kind) => [kind, templateOf(kind)])));
    for (const line of [
      'A CSV list begins with a line that names its columns; then one row a line. A JSON list is an array of rows, and',
      'a JSON Lines list has one on each line. Rows of all kinds may stand in one list, but no row is of two kinds.',
      ...kinds.flatMap(linesOf),
    ]) {
      call.output.line(line);
    }
    return exitCodes.done;
  },
};

/** template: what a list looks like. */
import { noArguments } from '../arguments.ts';
import type { Command } from '../command.ts';
import { exitCodes } from '../failure.ts';

const example = {
  app_id: '<user id of the bot, a UUID>',
  session_id: '<a UUID>',
  server_public_key: '<64 hex characters>',
  session_private_key: '<64 hex characters>',
  tip_private_key: '<64 hex characters; leave it out if the bot has no TIP PIN>',
  spend_private_key: '<64 hex characters; leave it out if Enlist shall make the key>',
} as const;

export const template: Command = {
  usage: 'template',
  summary: 'Prints the header of a CSV list and an example of a JSON row.',
  details: [
    'A row is a keystore as the Mixin dashboard exports it; docs/keystores.md tells what else is read.',
    '--json prints {"csv_header", "json_row"}.',
  ],
  options: {},
  run: async (call) => {
    noArguments(call);
    const csv_header = Object.keys(example).join(',');
    call.output.json({ csv_header, json_row: example });
    for (const line of [
      'A CSV list begins with this line; then one bot a line:',
      '',
      csv_header,
      '',
      'A JSON list is an array of such rows; a JSON Lines list has one on each line:',
      '',
      JSON.stringify(example, undefined, 2),
    ]) {
      call.output.line(line);
    }
    return exitCodes.done;
  },
};

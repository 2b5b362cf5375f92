/** Every command, in the order of --help. */
import type { Command } from '../command.ts';
import { bots, show } from './bots.ts';
import { doctor } from './doctor.ts';
import { errors } from './errors.ts';
import { retry } from './retry.ts';
import { status } from './status.ts';
import { template } from './template.ts';
import { upload } from './upload.ts';
import { watch } from './watch.ts';

export const commands: readonly Command[] = [
  template,
  upload,
  watch,
  status,
  bots,
  errors,
  show,
  retry,
  doctor,
];

export const findCommand = (name: string): Command | undefined =>
  commands.find(({ usage }) => usage.split(' ')[0] === name);

/** Every command, in the order of --help. */
import type { Command } from '../command.ts';
import { bots, show } from './bots.ts';
import { confirm } from './confirm.ts';
import { create } from './create.ts';
import { doctor } from './doctor.ts';
import { errors } from './errors.ts';
import { retry } from './retry.ts';
import { signIn } from './sign-in.ts';
import { status } from './status.ts';
import { template } from './template.ts';
import { upload } from './upload.ts';
import { watch } from './watch.ts';

export const commands: readonly Command[] = [
  template,
  upload,
  create,
  confirm,
  watch,
  status,
  bots,
  errors,
  show,
  retry,
  signIn,
  doctor,
];

export const findCommand = (name: string): Command | undefined =>
  commands.find(({ usage }) => usage.split(' ')[0] === name);

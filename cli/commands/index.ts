/** Every command, in the order of --help. */
import type { Command } from 'commander';
import type { Run } from '../context.ts';
import { addBots } from './bots.ts';
import { addConfirm } from './confirm.ts';
import { addCreate } from './create.ts';
import { addDoctor } from './doctor.ts';
import { addErrors } from './errors.ts';
import { addRetry } from './retry.ts';
import { addShow } from './show.ts';
import { addSignIn } from './sign-in.ts';
import { addStatus } from './status.ts';
import { addTemplate } from './template.ts';
import { addUpload } from './upload.ts';
import { addWatch } from './watch.ts';

export const addCommands = (program: Command, run: Run): void => {
  addTemplate(program, run);
  addUpload(program, run);
  addCreate(program, run);
  addConfirm(program, run);
  addWatch(program, run);
  addStatus(program, run);
  addBots(program, run);
  addErrors(program, run);
  addShow(program, run);
  addRetry(program, run);
  addSignIn(program, run);
  addDoctor(program, run);
};

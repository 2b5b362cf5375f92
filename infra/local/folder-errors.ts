/** Says in one sentence why a data folder cannot be used: a full disk, a folder that is read-only. */
import { RequestError } from '../../cli/errors.ts';

const causes: Readonly<Record<string, string>> = {
  ENOSPC: 'the disk is full',
  EDQUOT: 'the quota of this user is used up',
  EROFS: 'it is read-only',
  EACCES: 'you have no permission',
  EPERM: 'you have no permission',
  ENOENT: 'it cannot be created',
  ENOTDIR: 'a part of its path is not a folder',
  EEXIST: 'it is not a folder',
  EIO: 'the disk does not work',
};

const readCode = (error: Error): string => {
  const { code } = error as NodeJS.ErrnoException;
  // SQLite and LevelDB have only words for it.
  if (/disk is full|No space left/i.test(error.message)) return 'ENOSPC';
  if (/readonly database|Read-only file system/i.test(error.message)) return 'EROFS';
  return code ?? '';
};

/** The sentence, where the folder is the cause, here or further down; otherwise the same error. */
export const explainFolderError = (error: unknown, folder: string): unknown => {
  for (let at = error; at instanceof Error && !(at instanceof RequestError); at = at.cause) {
    const cause = causes[readCode(at)];
    if (cause !== undefined)
      return new RequestError(
        `The data folder ${folder} cannot be written: ${cause}. Nothing is lost: once that is fixed, start again.`,
      );
  }
  return error;
};

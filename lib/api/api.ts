/** api: takes lists and answers about batches and bots. It can read no secret. */
import { confirmBatch, createBatch, listRowErrors, readBatch } from './batches.ts';
import { listBots, readBot } from './bots.ts';
import { createAnswers } from './create-answers.ts';
import { retryBatch } from './retry.ts';
import { completeUpload, createUpload } from './uploads.ts';

export const api = createAnswers<'api'>({
  createBatch,
  createUpload,
  completeUpload,
  readBatch,
  confirmBatch,
  listRowErrors,
  listBots,
  retryBatch,
  readBot,
});

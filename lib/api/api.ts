/** api: receives lists and answers about batches and bots. It can read no secret. */
import {
  completeUpload,
  confirmBatch,
  createBatch,
  createUpload,
  listRowErrors,
  readBatch,
} from './batches.ts';
import { listBots, readBot, retryBatch } from './bots.ts';
import { createAnswers } from './http.ts';

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

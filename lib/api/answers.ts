/** What the routes of the API have in common: their refusals, and how they read a request. */
import { z } from 'zod';
import type { Batch } from '../model/batch.ts';
import type { Services } from '../model/ports.ts';
import { type HttpAnswer, type HttpRequest, problem } from './http.ts';

export const ok = (body: unknown): HttpAnswer => ({ status: 200, body });

export const noSuchBatch = () =>
  problem(
    404,
    'no_such_batch',
    'There is no batch with this id.',
    'Use the batch_id that POST /batches answered.',
  );
export const noSuchBot = () =>
  problem(
    404,
    'no_such_bot',
    'No list has named a bot with this user id.',
    'Use the app_id of its keystore.',
  );
export const badParameter = (name: string, fix: string) =>
  problem(400, 'bad_parameter', `The parameter ${name} is not valid.`, fix);
export const badCursor = () =>
  badParameter('cursor', 'Use the cursor of the page before, unchanged, or none.');

/** A JSON body (none counts as {}), or undefined when it is not what the schema asks for. */
export const parseBody = <T>(schema: z.ZodType<T>, body: Uint8Array): T | undefined => {
  try {
    const text = Buffer.from(body).toString('utf8').trim();
    return schema.parse(text === '' ? {} : JSON.parse(text));
  } catch {
    return undefined;
  }
};

/** The batch that the path names; undefined when there is none. */
export const batchOf = async (services: Services, request: HttpRequest): Promise<Batch | undefined> => {
  const id = z.uuid().safeParse(request.path.batch_id?.toLowerCase());
  return id.success ? services.table.readBatch(id.data) : undefined;
};

/** The HTTP API as the command line sees it. */
import { z } from 'zod';

const reason = z.object({ code: z.string(), message: z.string(), todo: z.string() });

const rowError = z.object({
  row: z.number(),
  line: z.number(),
  field: z.string(),
  code: z.string(),
  message: z.string(),
  fix: z.string(),
});

const batch = z.object({
  batch_id: z.string(),
  status: z.enum(['received', 'rejected', 'taking_in', 'taken_in', 'stuck']),
  total: z.number(),
  invalid: z.number(),
  duplicates: z.number(),
  accepted: z.number(),
  at_rest: z.number(),
  elsewhere: z.number(),
  percent_done: z.number(),
  bots_per_minute: z.number().nullable(),
  eta_seconds: z.number().nullable(),
  states: z.record(z.string(), z.number()),
  problem: z.object({ code: z.string(), message: z.string(), fix: z.string() }).optional(),
  errors: z.array(rowError),
  more_errors: z.boolean(),
});
export type BatchView = z.infer<typeof batch>;

const bot = z.object({
  user_id: z.string(),
  line: z.number(),
  state: z.string(),
  wait_until: z.string().optional(),
  reason: reason.optional(),
});
export type BotView = z.infer<typeof bot>;

const page = z.object({ bots: z.array(bot), cursor: z.string().optional() });
const received = z.object({ batch_id: z.string() });

const problem = z.object({ code: z.string(), detail: z.string(), fix: z.string() });

/** The API said no: its own words. */
export class ApiError extends Error {
  override readonly name = 'ApiError';
}

const readAnswer = async <T>(answer: Response, schema: z.ZodType<T>): Promise<T> => {
  const body: unknown = await answer.json().catch(() => undefined);
  if (answer.ok) return schema.parse(body);
  const told = problem.safeParse(body);
  throw new ApiError(
    told.success ? `${told.data.detail} ${told.data.fix}` : `the API answered ${answer.status}`,
  );
};

export interface ApiClient {
  /** Sends a list; with the same key and list again it answers the same batch. */
  createBatch(list: Uint8Array, contentType: string, idempotencyKey: string): Promise<string>;
  readBatch(batch_id: string): Promise<BatchView>;
  /** All bots in a state, page by page. */
  listBots(batch_id: string, state: string): AsyncGenerator<BotView>;
}

/** @param url of the API, without a trailing slash. Calls throw ApiError when it says no. */
export const createApiClient = (url: string): ApiClient => {
  const get = async <T>(path: string, schema: z.ZodType<T>) =>
    readAnswer(await fetch(`${url}${path}`), schema);
  return {
    createBatch: async (list, contentType, idempotencyKey) => {
      const answer = await fetch(`${url}/batches`, {
        method: 'POST',
        headers: { 'content-type': contentType, 'idempotency-key': idempotencyKey },
        body: Buffer.from(list),
      });
      return (await readAnswer(answer, received)).batch_id;
    },
    readBatch: (batch_id) => get(`/batches/${batch_id}`, batch),
    listBots: async function* (batch_id, state) {
      let cursor: string | undefined;
      do {
        const query = new URLSearchParams({ state, ...(cursor !== undefined && { cursor }) });
        const found: z.infer<typeof page> = await get(`/batches/${batch_id}/bots?${query}`, page);
        yield* found.bots;
        cursor = found.cursor;
      } while (cursor !== undefined);
    },
  };
};

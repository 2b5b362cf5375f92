/** Answers of an API that exists only in tests, for answers that the real API cannot be made to give. */
import type { BatchView, BotView, CostView } from '../../lib/api/contract.ts';
import type { ServerAnswer, ServerRequest } from './run.ts';

export const BATCH_ID = '00000000-0000-4000-8000-00000000b001';
export const OWNER_ID = '00000000-0000-4000-8000-00000000a001';

export const answerJson = (body: unknown, status = 200): ServerAnswer => ({
  status,
  body: JSON.stringify(body),
});

export const answerProblem = (
  status: number,
  code: string,
  more: Readonly<Record<string, unknown>> = {},
): ServerAnswer =>
  answerJson({ code, message: 'It was refused.', fix: 'Try something else.', ...more }, status);

export const createCost = (more: Partial<CostView> = {}): CostView => ({
  price_usd: 0.5,
  planned_users: 10,
  planned_usd: 5,
  created_users: 0,
  created_usd: 0,
  unsure_users: 0,
  unsure_usd: 0,
  ...more,
});

/** A registered bot, with other fields where they are given. */
export const createBot = (more: Partial<BotView> = {}): BotView => ({
  bot_id: OWNER_ID,
  user_id: OWNER_ID,
  batch_id: BATCH_ID,
  line: 1,
  state: 'registered',
  state_since: '2026-11-22T10:00:00.000Z',
  history: [],
  ...more,
});

/** Counts of bots by state; those that are not given are zero. */
export const createCounts = (counts: Partial<BatchView['states']>): BatchView['states'] => ({
  queued: 0,
  enrolling: 0,
  registering: 0,
  registered: 0,
  external: 0,
  waiting: 0,
  unsure: 0,
  blocked: 0,
  failed: 0,
  enrolled: 0,
  ...counts,
});

/** A batch of two finished bots, with other fields where they are given. */
export const createBatch = (more: Partial<BatchView> = {}): BatchView => ({
  batch_id: BATCH_ID,
  status: 'imported',
  created_at: '2026-11-22T10:00:00.000Z',
  total: 2,
  invalid: 0,
  duplicates: 0,
  accepted: 2,
  finished: 2,
  not_in_batch: 0,
  percent_done: 100,
  bots_per_minute: null,
  eta_seconds: null,
  states: createCounts({ registered: 2 }),
  errors: [],
  more_errors: false,
  errors_left_out: 0,
  ...more,
});

export const createPlannedBatch = (more: Partial<BatchView> = {}): BatchView =>
  createBatch({
    status: 'planned',
    total: 10,
    accepted: 10,
    finished: 0,
    percent_done: 0,
    states: createCounts({}),
    cost: createCost(),
    ...more,
  });

/** Answers by method and path, such as `GET /batches/{BATCH_ID}`; of several answers the last one is repeated. */
export const createRouter = (
  routes: Readonly<Record<string, ServerAnswer | (ServerAnswer | undefined)[]>>,
) => {
  const remaining = new Map(Object.entries(routes).map(([name, answers]) => [name, [answers].flat()]));
  return ({ method, url }: ServerRequest): ServerAnswer | undefined => {
    const answers = remaining.get(`${method} ${url.split('?')[0]}`) ?? [answerProblem(404, 'no_such_route')];
    return answers.length > 1 ? answers.shift() : answers[0];
  };
};

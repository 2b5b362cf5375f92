/** Answers of an API that is made up here, for what the real one cannot be brought to say at will. */
import type { BatchView, CostView } from '../../lib/api/contract.ts';
import type { Heard, Said } from './run.ts';

export const BATCH_ID = '00000000-0000-4000-8000-00000000b001';
export const OWNER_ID = '00000000-0000-4000-8000-00000000a001';

export const says = (body: unknown, status = 200): Said => ({ status, body: JSON.stringify(body) });

export const refuses = (status: number, code: string, more: Readonly<Record<string, unknown>> = {}): Said =>
  says({ code, message: 'It is not so.', fix: 'Do better.', ...more }, status);

export const costOf = (more: Partial<CostView> = {}): CostView => ({
  price_usd: 0.5,
  planned_users: 10,
  planned_usd: 5,
  created_users: 0,
  created_usd: 0,
  unsure_users: 0,
  unsure_usd: 0,
  ...more,
});

/** Counts of bots by state; those that are not given are zero. */
export const countsOf = (counts: Partial<BatchView['states']>): BatchView['states'] => ({
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

/** Two finished bots, unless something else is said. */
export const batchOf = (more: Partial<BatchView> = {}): BatchView => ({
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
  states: countsOf({ registered: 2 }),
  errors: [],
  more_errors: false,
  errors_left_out: 0,
  ...more,
});

export const planned = (more: Partial<BatchView> = {}): BatchView =>
  batchOf({
    status: 'planned',
    total: 10,
    accepted: 10,
    finished: 0,
    percent_done: 0,
    states: countsOf({}),
    cost: costOf(),
    ...more,
  });

/** Answers by method and path, such as `GET /batches/{BATCH_ID}`; a list of answers is used up to its last. */
export const byRoute = (routes: Readonly<Record<string, Said | (Said | undefined)[]>>) => {
  const left = new Map(Object.entries(routes).map(([name, said]) => [name, [said].flat()]));
  return ({ method, url }: Heard): Said | undefined => {
    const said = left.get(`${method} ${url.split('?')[0]}`) ?? [refuses(404, 'no_such_route')];
    return said.length > 1 ? said.shift() : said[0];
  };
};

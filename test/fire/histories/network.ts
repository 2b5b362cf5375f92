/** The network between Enlist and the stand-in: it can hold a request back and deliver it when nobody waits for its answer. */
import type { Clock } from './clock.ts';

/** How long Enlist waits for an answer: lib/model/mixin.ts. */
const TIMEOUT_MS = 8_000;

interface Request {
  readonly url: URL;
  readonly init: RequestInit;
}

export interface Network {
  readonly fetch: typeof fetch;
  /** Holds back the next POST of this path, or route, for so many seconds of the history. */
  hold(path: string, seconds: number): void;
  /** Delivers the held requests that are due; all of them at the end of a history. */
  deliverHeld(all?: boolean): Promise<void>;
  /** The name in each POST /users, by its request id. */
  readonly requestedUsers: ReadonlyMap<string, string>;
  /** The request ids of the held requests. */
  readonly late: ReadonlySet<string>;
}

const matches = (path: string, { pathname }: URL): boolean =>
  path.endsWith('/:id') ? pathname.startsWith(path.slice(0, -3)) : pathname === path;

const bodyOf = async ({ body }: RequestInit): Promise<Uint8Array<ArrayBuffer> | undefined> =>
  body ? new Uint8Array(await new Response(body).arrayBuffer()) : undefined;

const plain = ({ headers }: RequestInit): Readonly<Record<string, string>> =>
  headers as Readonly<Record<string, string>>;

export const createNetwork = (clock: Clock): Network => {
  const orders: { readonly path: string; readonly seconds: number }[] = [];
  const held: (Request & { readonly dueMs: number })[] = [];
  const requestedUsers = new Map<string, string>();
  const late = new Set<string>();

  const send = ({ url, init }: Request) => fetch(url, init);

  const note = (url: URL, init: RequestInit, body: Uint8Array) => {
    if (url.pathname !== '/users') return;
    const { full_name } = JSON.parse(Buffer.from(body).toString()) as { full_name: string };
    requestedUsers.set(String(plain(init)['x-request-id']), full_name);
  };

  const holdBack = (url: URL, init: RequestInit): boolean => {
    const order = init.method === 'POST' ? orders.findIndex(({ path }) => matches(path, url)) : -1;
    const [found] = order < 0 ? [] : orders.splice(order, 1);
    if (!found) return false;
    late.add(String(plain(init)['x-request-id']));
    held.push({ url, init, dueMs: clock.right() + found.seconds * 1_000 });
    clock.pass(TIMEOUT_MS);
    return true;
  };

  return {
    requestedUsers,
    late,
    hold: (path, seconds) => void orders.push({ path, seconds }),
    fetch: async (input, given = {}) => {
      const url = new URL(String(input));
      const body = await bodyOf(given);
      const { duplex: _, ...rest } = given as RequestInit & { duplex?: string };
      const init: RequestInit = { ...rest, ...(body && { body }) };
      if (body) note(url, init, body);
      const { signal: __, ...patient } = init;
      if (holdBack(url, patient)) throw new DOMException('no answer', 'TimeoutError');
      return send({ url, init });
    },
    deliverHeld: async (all = false) => {
      const due = held.filter(({ dueMs }) => all || dueMs <= clock.right());
      for (const request of due) {
        held.splice(held.indexOf(request), 1);
        await send(request)
          .then((answer) => answer.arrayBuffer())
          .catch(() => undefined);
      }
    },
  };
};

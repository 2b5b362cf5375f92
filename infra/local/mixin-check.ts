/** Does Mixin answer at this URL? Asked before anything is uploaded: at a wrong URL every bot would be judged wrongly. */
import * as z from 'zod';
import { describeConnection } from '../../cli/errors.ts';

const TIMEOUT_MS = 15_000;

/** What Mixin answers to a request without a token. */
const refusal = z.object({ error: z.object({ code: z.number() }) });
/** It answers GET /safe/me without a token. */
const UNAUTHORIZED = 401;
const RATE_LIMITED = 429;
const isMixinCode = (code: number) => code === UNAUTHORIZED || code === RATE_LIMITED || code >= 500;

export interface MixinTrouble {
  /** `unreachable` may pass by itself; `not_mixin` does not. */
  readonly code: 'unreachable' | 'not_mixin';
  /** A sentence that names the cause. */
  readonly message: string;
}

/** Undefined when Mixin answers there. Sends one GET /safe/me without a token and follows no redirect. */
export const checkMixin = async (url: string): Promise<MixinTrouble | undefined> => {
  try {
    const signal = AbortSignal.timeout(TIMEOUT_MS);
    const answer = await fetch(`${url}/safe/me`, { redirect: 'manual', signal });
    const parsed = refusal.safeParse(JSON.parse((await answer.text()) || 'null'));
    if (parsed.success && isMixinCode(parsed.data.error.code)) return undefined;
    const what = parsed.success
      ? `error ${parsed.data.error.code} to GET /safe/me, which Mixin does not`
      : `${answer.status}, but not as Mixin does`;
    return { code: 'not_mixin', message: `${url} answers ${what}: check --mixin.` };
  } catch (error) {
    if (error instanceof SyntaxError)
      return { code: 'not_mixin', message: `${url} answers, but not as Mixin does: check --mixin.` };
    return {
      code: 'unreachable',
      message: `Mixin at ${url} cannot be reached: ${describeConnection(error)}.`,
    };
  }
};

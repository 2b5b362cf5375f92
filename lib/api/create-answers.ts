/** From handlers to answers: the contract reads the request before a handler sees it, and names the status after. */
import type { Services } from '../model/ports.ts';
import { type HttpFunctionName, type RouteName, type RouteNameOf, routes } from './contract.ts';
import { type Answers, answerProblem, type Handlers, type HttpRequest, type Reply } from './http.ts';
import { parseRequest } from './parse-request.ts';

/** Reads each request as the contract says, and answers what does not fit with a problem. */
export const createAnswers = <F extends HttpFunctionName>(handlers: Handlers<F>): Answers<F> => {
  const answer = (name: RouteName) => async (services: Services, request: HttpRequest) => {
    const parsed = parseRequest(name, request);
    if (!parsed.ok) return answerProblem(parsed.error);
    const handle = handlers[name as RouteNameOf<F>] as (
      services: Services,
      request: unknown,
    ) => Promise<Reply<RouteName>>;
    const reply = await handle(services, parsed.value);
    if ('problem' in reply) return answerProblem(reply);
    const { body, location } = reply;
    const { status } = routes[name].answer;
    return { status, body, ...(location !== undefined && { headers: { location } }) };
  };
  const names = Object.keys(handlers) as RouteName[];
  return Object.fromEntries(names.map((name) => [name, answer(name)])) as unknown as Answers<F>;
};

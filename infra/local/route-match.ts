/** Finds the route of a request, as an HTTP API does. */
import type { Route } from '../../lib/api/contract.ts';

export interface RouteMatch {
  readonly route: Route;
  /** Decoded values of the route's `{names}`. */
  readonly pathParameters: Readonly<Record<string, string>>;
}

const readVariable = (segment: string): string | undefined => /^\{(\w+)\}$/.exec(segment)?.[1];

const decode = (text: string): string => {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
};

const matchPath = (pattern: string, path: string): Record<string, string> | undefined => {
  const expected = pattern.split('/');
  const actual = path.split('/');
  if (expected.length !== actual.length) return undefined;
  const parameters: Record<string, string> = {};
  for (const [index, segment] of expected.entries()) {
    const value = actual[index] ?? '';
    const name = readVariable(segment);
    if (name === undefined ? segment !== value : value === '') return undefined;
    if (name !== undefined) parameters[name] = decode(value);
  }
  return parameters;
};

const countVariables = ({ path }: Route): number => path.split('/').filter(readVariable).length;

/** The route with the fewest variables that fits, or undefined. `path` is as it came, without its query. */
export const matchRoute = (
  routes: readonly Route[],
  method: string,
  path: string,
): RouteMatch | undefined => {
  const matches = routes.flatMap((route) => {
    const pathParameters = route.method === method ? matchPath(route.path, path) : undefined;
    return pathParameters ? [{ route, pathParameters }] : [];
  });
  return matches.sort((a, b) => countVariables(a.route) - countVariables(b.route))[0];
};

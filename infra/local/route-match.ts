/** Finds the route of a request, as an HTTP API does. */
import type { Route } from '../../lib/api/contract.ts';

export interface RouteMatch {
  readonly route: Route;
  /** Decoded values of the route's `{names}`. */
  readonly pathParameters: Readonly<Record<string, string>>;
}

const nameOf = (segment: string): string | undefined => /^\{(\w+)\}$/.exec(segment)?.[1];

const decode = (text: string): string => {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
};

const matchPath = (pattern: string, path: string): Record<string, string> | undefined => {
  const wanted = pattern.split('/');
  const given = path.split('/');
  if (wanted.length !== given.length) return undefined;
  const parameters: Record<string, string> = {};
  for (const [index, segment] of wanted.entries()) {
    const value = given[index] ?? '';
    const name = nameOf(segment);
    if (name === undefined ? segment !== value : value === '') return undefined;
    if (name !== undefined) parameters[name] = decode(value);
  }
  return parameters;
};

const variables = ({ path }: Route): number => path.split('/').filter(nameOf).length;

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
  return matches.sort((a, b) => variables(a.route) - variables(b.route))[0];
};

/** The answer of a function that can fail in an expected way. What is unexpected is thrown. */
import type { Problem } from './problem.ts';

interface Success<T> {
  readonly ok: true;
  readonly value: T;
}

export interface Failure<E = Problem> {
  readonly ok: false;
  readonly error: E;
}

export type Result<T, E = Problem> = Success<T> | Failure<E>;

export const succeed = <T>(value: T): Success<T> => ({ ok: true, value });
export const fail = <E>(error: E): Failure<E> => ({ ok: false, error });

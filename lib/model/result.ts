/** What a function answers that can fail in an expected way; what is unexpected is thrown. */
import type { Problem } from './problem.ts';

export interface Success<T> {
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

/** Does a process grow? Measured by a straight line through its memory use. */
import type { Sample } from './children.ts';

export interface Growth {
  readonly samples: number;
  readonly minutes: number;
  readonly heap_mb: { readonly first: number; readonly last: number; readonly per_minute: number };
  readonly rss_mb: { readonly first: number; readonly last: number; readonly per_minute: number };
}

const MB = 1_048_576;
const round = (value: number): number => Math.round(value * 100) / 100;

/** Least squares; 0 where there is no line to draw. */
export const computeSlope = (points: readonly (readonly [x: number, y: number])[]): number => {
  const n = points.length;
  const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / n;
  const [mx, my] = [mean(points.map(([x]) => x)), mean(points.map(([, y]) => y))];
  const over = points.reduce((sum, [x, y]) => sum + (x - mx) * (y - my), 0);
  const under = points.reduce((sum, [x]) => sum + (x - mx) ** 2, 0);
  return under === 0 ? 0 : over / under;
};

const fitLine = (samples: readonly Sample[], bytesOf: (sample: Sample) => number) => {
  const points = samples.map((sample) => [sample.atMs / 60_000, bytesOf(sample) / MB] as const);
  return {
    first: round(points[0]?.[1] ?? 0),
    last: round(points.at(-1)?.[1] ?? 0),
    per_minute: round(computeSlope(points)),
  };
};

/** Of the second half of the samples. */
export const measureGrowth = (all: readonly Sample[]): Growth => {
  const samples = all.slice(Math.floor(all.length / 2));
  const [first, last] = [samples[0]?.atMs ?? 0, samples.at(-1)?.atMs ?? 0];
  return {
    samples: samples.length,
    minutes: round((last - first) / 60_000),
    heap_mb: fitLine(samples, ({ heapUsed, external }) => heapUsed + external),
    rss_mb: fitLine(samples, ({ rss }) => rss),
  };
};

import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { defineConfig } from 'vitest/config';

// Workers, and the processes that tests start, load the same packages again and again.
process.env.NODE_COMPILE_CACHE ??= join(tmpdir(), 'enlist-compile-cache');

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // No test changes a module, so the files of a worker may share what they load: a third of all computing.
    isolate: false,
    // Most of the long tests wait more than they compute.
    maxWorkers: availableParallelism() + 1,
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
});

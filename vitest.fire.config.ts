import { defineConfig } from 'vitest/config';

/** `npm run test:fire`: the long runs with faults injected. A shorter run of each is in `npm test`. */
export default defineConfig({
  test: {
    include: ['test/fire/**/*.fire.ts'],
    testTimeout: 3_600_000,
    hookTimeout: 120_000,
    // Each suite has a world of its own and keeps both cores busy.
    maxWorkers: 2,
  },
});

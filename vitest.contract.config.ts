import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/contract/remote.suite.ts'],
    testTimeout: 60_000,
    hookTimeout: 180_000,
  },
});

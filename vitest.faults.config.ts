import { defineConfig } from "vitest/config";

/** Faults on purpose: kills, full disks, damaged files. Some need root or tools; they say so and are skipped by name. */
export default defineConfig({
  test: {
    include: ["test/faults/**/*.test.ts"],
    pool: "forks",
    fileParallelism: false,
    testTimeout: 300_000,
    hookTimeout: 300_000,
  },
});

/** For the runs within a run: of the files here, that have planted leaks, and with the pool that the command line names. */
import { fileURLToPath } from "node:url"
import { defineConfig } from "vitest/config"

const source = (path: string) => fileURLToPath(new URL(`../../../src/${path}`, import.meta.url))

export default defineConfig({
  root: fileURLToPath(new URL(".", import.meta.url)),
  cacheDir: fileURLToPath(new URL("../../../node_modules/.vite", import.meta.url)),
  resolve: {
    alias: [
      { find: /^holdfast\/testing$/, replacement: source("testing/index.ts") },
      { find: /^holdfast\/testing\/vitest$/, replacement: source("testing/vitest.ts") }
    ]
  },
  test: {
    maxWorkers: 3,
    minWorkers: 3,
    include: ["*.planted.ts"],
    testTimeout: 60_000,
    hookTimeout: 10_000,
    teardownTimeout: 1000
  }
})

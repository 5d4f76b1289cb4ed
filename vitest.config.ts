import { availableParallelism } from "node:os"
import { fileURLToPath } from "node:url"
import { defineConfig } from "vitest/config"

const source = (path: string) => fileURLToPath(new URL(path, import.meta.url))

export default defineConfig({
  resolve: {
    alias: [
      { find: /^holdfast$/, replacement: source("src/index.ts") },
      { find: /^holdfast\/client$/, replacement: source("src/client/index.ts") },
      { find: /^holdfast\/testing$/, replacement: source("src/testing/index.ts") },
      { find: /^holdfast\/testing\/vitest$/, replacement: source("src/testing/vitest.ts") },
      { find: /^holdfast\/client\/agui$/, replacement: source("src/client/agui.ts") }
    ]
  },
  test: {
    include: ["test/**/*.test.ts"],
    globalSetup: ["test/build.ts"],
    setupFiles: ["test/setup.ts"],
    // a process a file: what a test leaves behind is found among that process's children
    pool: "forks",
    // most of a test's time is waiting for processes: two at a time also where there are two cores
    poolOptions: { forks: { maxForks: Math.max(2, availableParallelism() - 1) } },
    // real agent processes start slowly on a busy machine
    testTimeout: 60_000,
    hookTimeout: 60_000
  }
})

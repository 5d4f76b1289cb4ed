/** The tests that `npm run stress` runs. Those that explore have no timeout then: `holdfast/testing/vitest` sees to that. */
import { defineConfig } from "vitest/config"
import root from "../../vitest.config.js"

export default defineConfig({
  ...root,
  test: {
    ...root.test,
    include: ["test/**/*.interleave.test.ts"],
    // none of them runs the built program
    globalSetup: [],
    // nothing waits in them: what one does not use of a core, nobody does
    maxWorkers: "100%",
    minWorkers: 1
  }
})

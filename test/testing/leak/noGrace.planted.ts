/** Run by ../LeakFree.test.ts, with names as in leakFree.planted.ts: what vitest does meanwhile is no leak of anybody. */
import * as Effect from "effect/Effect"
import { it, leakFreeFile } from "holdfast/testing/vitest"

leakFreeFile({ grace: 0 })

for (let i = 0; i < 20; i++) {
  it("clean: a plain test", () => console.log("told to the reporter, a little later"))
  it.scoped("clean: a test of a fiber", () => Effect.forkScoped(Effect.never))
}

/** Run by ../LeakFree.test.ts, with names as in leakFree.planted.ts. */
import { describe } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { it, leakFreeFile } from "holdfast/testing/vitest"

leakFreeFile()

describe.concurrent("at the same time", () => {
  it.live("clean: the first", () => Effect.sleep("50 millis"))
  it.live("leak: may not run concurrently · clean: the first", () => Effect.sleep("50 millis"))
})

it.live("clean: the next", () => Effect.sleep("1 millis"))

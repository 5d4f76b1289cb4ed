/**
 * Run by ../LeakFree.test.ts, with names as in leakFree.planted.ts, at the same time as that file: a process that is started there is not
 * one of here, even in a thread of the same process.
 */
import * as Effect from "effect/Effect"
import { it } from "holdfast/testing/vitest"
import * as Meeting from "./Meeting.js"

it.leakFree.live("clean: while another file starts a process", () =>
  Effect.gen(function*() {
    yield* Meeting.tell("waiting")
    yield* Meeting.hear("started")
  }))

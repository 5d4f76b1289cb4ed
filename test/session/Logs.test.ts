import { expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as HashMap from "effect/HashMap"
import * as Logger from "effect/Logger"
import { leakFreeFile } from "holdfast/testing/vitest"
import * as Harness from "./Harness.js"

leakFreeFile()

it.scoped("what is logged of a run names its session and itself, and of a session that one", () =>
  Effect.gen(function*() {
    const told: Array<readonly [message: string, annotations: Record<string, unknown>]> = []
    const logger = Logger.make(({ annotations, message }) => {
      told.push([
        String(Array.isArray(message) ? message[0] : message),
        Object.fromEntries(HashMap.toEntries(annotations))
      ])
    })
    yield* Effect.gen(function*() {
      const { agent } = yield* Harness.puppet({ prompt: Effect.die("a bug") })
      const { fail, log, session } = yield* Harness.faultyLog
      const { finish, prompt } = yield* Harness.over(log, [{ ...agent, name: "scripted" }])
      const id = yield* session
      const run = yield* prompt(id)
      yield* finish(id, run)
      expect(told).toEqual([["a run ended with a defect", { session: id, run: run.runId }]])
      yield* fail("AgentDisconnected")
    }).pipe(Effect.scoped, Effect.provide(Logger.replace(Logger.defaultLogger, logger)))
    const [, owed] = told
    expect(owed).toEqual(["what has ended is recorded later", { session: expect.stringMatching(/^ses_/) }])
  }))

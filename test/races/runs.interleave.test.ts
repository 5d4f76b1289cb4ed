/**
 * The races of runs: `Interleave` finds each in the naive code, and none in sessions and their log. docs/races.md tells of them.
 */
import { describe, expect } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Chunk from "effect/Chunk"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { Interleave, ScriptedAgent } from "holdfast/testing"
import { it } from "holdfast/testing/vitest"
import * as Content from "../../src/domain/Content.js"
import { AgentDied } from "../../src/domain/Errors.js"
import { SessionId } from "../../src/domain/Ids.js"
import * as EventLog from "../../src/log/EventLog.js"
import * as RunStream from "../../src/session/RunStream.js"
import * as InMemory from "../session/InMemory.js"
import { itFinds } from "./found.js"
import * as naive from "./runs.js"

const noTools = new AgentDied({ exitCode: 1, signal: null, stderr: "", message: "the tools cannot be listed" })

describe("an early return between acquiring and registering the release", () => {
  const tools = Interleave.maybe("list the tools", Effect.succeed(["read"]), { fail: noTools })

  itFinds("a naive run registers the release when all went well", () =>
    Effect.gen(function*() {
      let open = 0
      const channel = { open: Effect.sync(() => void open++), close: Effect.sync(() => void open--) }
      yield* Effect.exit(Effect.scoped(naive.lateRelease(channel, tools)))
      expect(open).toBe(0)
    }), { within: 20, choices: "seed=3 0:1", reason: "expected 1 to be +0" })

  it.interleaved(
    "RS1 RS3 a run that its viewer leaves, or that cannot go on, has its end",
    () =>
      Effect.gen(function*() {
        const agent = yield* ScriptedAgent.make({
          turn: ({ say }) => Effect.flatMap(tools, (names) => say({ type: "TextChunk", text: names.join() }))
        })
        const { history, id, sessions, shutdown } = yield* InMemory.make(agent)
        const viewer = yield* Interleave.victim(
          Stream.runDrain(RunStream.run(sessions, id, { content: [Content.text("hello")] }))
        )
        yield* Fiber.await(viewer)
        yield* Effect.sleep("1 minute")
        expect(yield* sessions.get(id)).toMatchObject({ status: "idle", pending: 0 })
        yield* shutdown
        InMemory.checkHistory(yield* history)
      }).pipe(InMemory.repeatable),
    { interruptAt: "every-step", schedules: 100 }
  )
})

describe("a terminal event dropped on a full buffer", () => {
  const texts = ["one", "two", "three"]
  const scenario = <R>(run: Effect.Effect<Stream.Stream<string, unknown>, unknown, R>) => () =>
    Effect.gen(function*() {
      const events = yield* run
      const slow = Stream.mapEffect(events, (event) => Effect.as(Effect.sleep("1 second"), event))
      expect(Chunk.toReadonlyArray(yield* Stream.runCollect(slow)).at(-1)).toBe("RunEnded")
    })

  itFinds("a naive channel drops what a slow viewer has no room for", scenario(naive.droppingChannel(texts)), {
    within: 5,
    choices: "seed=1",
    reason: "deadlock"
  })

  it.interleaved("RS4 a slow viewer sees the end", () =>
    Effect.gen(function*() {
      const agent = yield* ScriptedAgent.make({
        turn: ({ say }) => Effect.forEach(texts, (text) => say({ type: "TextChunk", text }), { discard: true })
      })
      const session = yield* InMemory.make(agent)
      yield* scenario(
        Effect.map(session.prompt("hello"), (run) =>
          Stream.map(RunStream.follow(session.sessions, session.id, run), ({ event }) => event.type))
      )()
      yield* session.shutdown
    }).pipe(InMemory.repeatable), { schedules: 100 })
})

describe("a send after close", () => {
  const scenario = <R>(
    subject: Effect.Effect<
      { readonly say: (text: string) => Effect.Effect<unknown, unknown>; readonly end: Effect.Effect<unknown> },
      unknown,
      R
    >
  ) =>
  () =>
    Effect.gen(function*() {
      const { end, say } = yield* subject
      const background = yield* Effect.fork(say("still at it"))
      yield* end
      const exit = yield* Fiber.await(background)
      // it was heard, or is told that it was not
      expect(Exit.isSuccess(exit) || Option.isSome(Cause.failureOption(exit.cause))).toBe(true)
    })

  itFinds(
    "a naive channel takes the one who still speaks down with it",
    scenario(naive.closedChannel),
    { within: 50, choices: "seed=2", reason: "expected false to be true" }
  )

  it.interleaved(
    "EL7 who speaks while the log closes is heard, or told that it was not",
    scenario(Effect.gen(function*() {
      const scope = yield* Scope.make()
      const log = yield* Scope.extend(
        Effect.map(Layer.build(EventLog.layerMemory), Context.get(EventLog.EventLog)),
        scope
      )
      const id = SessionId.make("ses_1")
      yield* log.append(id, [{ event: { type: "SessionOpened", agent: "a", cwd: "/" } }])
      return {
        say: (text) => log.append(id, [{ event: { type: "TextChunk", text } }]),
        end: Scope.close(scope, Exit.void)
      }
    }))
  )
})

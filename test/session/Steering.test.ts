/**
 * Messages that steer, with agents that take them into the open turn.
 */
import { describe, expect } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Queue from "effect/Queue"
import * as TestClock from "effect/TestClock"
import { Interleave, ScriptedAgent } from "holdfast/testing"
import { it, leakFreeFile } from "holdfast/testing/vitest"
import * as Content from "../../src/domain/Content.js"
import { AgentDied } from "../../src/domain/Errors.js"
import * as Harness from "./Harness.js"
import * as InMemory from "./InMemory.js"

leakFreeFile()

const died = new AgentDied({ exitCode: 3, signal: null, stderr: "", message: "the agent died: exit code 3" })
const hang = Effect.async<never>(() => {})

/** A turn that says back what it is steered with, until it is told to stop. */
const listener = Effect.fnUntraced(function*(steer?: ScriptedAgent.Options["steer"]) {
  const messages = yield* Queue.unbounded<string>()
  return yield* ScriptedAgent.make({
    steer: steer ?? ((_, content) => Queue.offer(messages, Content.toText(content))),
    turn: ({ content, say }) =>
      Effect.gen(function*() {
        let said = Content.toText(content)
        yield* say({ type: "TextChunk", text: said })
        while (said !== "stop") {
          said = yield* Queue.take(messages)
          yield* say({ type: "TextChunk", text: `heard ${said}` })
        }
      })
  })
})

const text = (event: { readonly type: string }) =>
  "text" in event ? event.text : "content" in event ? Content.toText([event.content as Content.ContentBlock]) : ""

describe("a message that steers", () => {
  it.scoped("goes into the open turn, and is recorded there before what the agent says to it", () =>
    Effect.gen(function*() {
      const { finish, open, prompt, sessions, seen } = yield* Harness.make([yield* listener()])
      const id = yield* open
      const run = yield* prompt(id, "hello")
      yield* seen(id, "TextChunk")
      const steered = yield* sessions.prompt(id, {
        content: [Content.text("and"), Content.text("also")],
        whenBusy: "steer"
      })
      yield* seen(id, "TextChunk", 2)
      const last = yield* prompt(id, "stop", "steer")
      const events = yield* finish(id, run)
      expect(steered.runId).toBe(run.runId)
      expect(events.map(({ event, seq }) => [seq, event.type, text(event)])).toStrictEqual([
        [run.seq, "RunStarted", ""],
        [run.seq + 1, "TextChunk", "hello"],
        [steered.seq, "UserChunk", "and"],
        [steered.seq + 1, "UserChunk", "also"],
        [steered.seq + 2, "TextChunk", "heard and\nalso"],
        [last.seq, "UserChunk", "stop"],
        [last.seq + 1, "TextChunk", "heard stop"],
        [last.seq + 2, "RunEnded", ""]
      ])
    }))

  it.scoped("with a key that was used is the first one, also when both are sent at once", () =>
    Effect.gen(function*() {
      const { history, open, prompt, seen, sessions } = yield* Harness.make([yield* listener()])
      const id = yield* open
      yield* prompt(id, "hello")
      yield* seen(id, "TextChunk")
      const once = sessions.prompt(id, {
        content: [Content.text("stop")],
        whenBusy: "steer",
        idempotencyKey: "k"
      })
      const [first, second] = yield* Effect.all([once, once], { concurrency: "unbounded" })
      yield* seen(id, "RunEnded")
      expect([second, yield* once]).toStrictEqual([first, first])
      const other = { content: [Content.text("go")], whenBusy: "steer", idempotencyKey: "k" } as const
      expect(yield* Effect.flip(sessions.prompt(id, other))).toMatchObject({ _tag: "IdempotencyKeyReused", ...first })
      expect((yield* history(id)).filter(({ event }) => event.type === "UserChunk")).toHaveLength(1)
    }))

  it.scoped("and comes too late goes first, and ends nothing", () =>
    Effect.gen(function*() {
      const gate = yield* Deferred.make<void>()
      const agent = yield* ScriptedAgent.make({
        steer: () => Effect.succeed(false),
        turn: ({ content, say }) =>
          Content.toText(content) === "hello"
            ? Deferred.await(gate)
            : say({ type: "TextChunk", text: Content.toText(content) })
      })
      const { finish, history, open, prompt } = yield* Harness.make([agent])
      const id = yield* open
      const run = yield* prompt(id, "hello")
      const queued = yield* prompt(id, "queued", "queue")
      yield* TestClock.adjust("10 millis")
      const steered = yield* prompt(id, "steered", "steer")
      yield* Deferred.succeed(gate, void 0)
      expect((yield* finish(id, run)).map(Harness.label).at(-1)).toBe("RunEnded(Completed)")
      yield* finish(id, queued)
      const starts = (yield* history(id)).filter(({ event }) => event.type === "RunStarted").map(({ runId }) => runId)
      expect(starts).toStrictEqual([run.runId, steered.runId, queued.runId])
    }))

  it.scoped("and that the agent cannot take ends the turn, and is the next", () =>
    Effect.gen(function*() {
      const { finish, open, prompt, seen } = yield* Harness.make([yield* listener(() => Effect.fail(died))])
      const id = yield* open
      const run = yield* prompt(id, "hello")
      yield* seen(id, "TextChunk")
      const steered = yield* prompt(id, "stop", "steer")
      expect((yield* finish(id, run)).map(Harness.label).at(-1)).toBe("RunEnded(Cancelled)")
      expect((yield* finish(id, steered)).map(Harness.label).at(-1)).toBe("RunEnded(Completed)")
    }))

  it.scoped("RS1 of which the agent does not say whether it took it holds up no end", () =>
    Effect.gen(function*() {
      const { finish, open, prompt, seen, sessions } = yield* Harness.make([yield* listener(() => hang)])
      const id = yield* open
      const run = yield* prompt(id, "hello")
      yield* seen(id, "TextChunk")
      const steering = yield* Effect.fork(prompt(id, "stop", "steer"))
      yield* TestClock.adjust("10 millis")
      yield* sessions.cancel(id, run.runId)
      expect((yield* finish(id, run)).map(Harness.label).at(-1)).toBe("RunEnded(Cancelled)")
      const next = yield* Fiber.join(steering)
      expect((yield* finish(id, next)).map(Harness.label).at(-1)).toBe("RunEnded(Completed)")
    }))

  it.interleaved(
    "RS1 RS5 whose sender leaves at any step, and while the turn ends, is in one turn or in none",
    () =>
      Effect.gen(function*() {
        const heard: Array<string> = []
        let open = false
        const agent = yield* ScriptedAgent.make({
          steer: (_, content) =>
            Effect.zipRight(
              Effect.yieldNow(),
              Effect.sync(() => open && heard.push(Content.toText(content)) > 0)
            ),
          turn: ({ content, say }) =>
            Effect.gen(function*() {
              open = true
              heard.push(Content.toText(content))
              yield* say({ type: "TextChunk", text: "on it" })
              open = false
            })
        })
        const session = yield* InMemory.make(agent)
        yield* session.prompt("hello")
        const steering = yield* Interleave.victim(Effect.exit(session.prompt("more", "steer")))
        yield* Fiber.await(steering)
        yield* session.shutdown
        const history = yield* session.history
        InMemory.checkHistory(history)
        const told = history.filter(({ event }) =>
          event.type === "UserChunk" || event.type === "RunStarted" && Content.toText(event.prompt) === "more"
        )
        expect(told.length).toBeLessThanOrEqual(1)
        expect(heard.filter((message) => message === "more").length).toBeLessThanOrEqual(1)
      }).pipe(InMemory.repeatable),
    { schedules: 200, interruptAt: "every-step" }
  )
})

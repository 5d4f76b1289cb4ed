/**
 * A thread's run and its listener in every order of steps, over an upstream in memory.
 */
import { describe, expect } from "@effect/vitest"
import * as Chunk from "effect/Chunk"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Ref from "effect/Ref"
import * as Scope from "effect/Scope"
import { Interleave } from "holdfast/testing"
import { it } from "holdfast/testing/vitest"
import type { AgentSignal } from "../../../src/agent/Agent.js"
import * as AguiConnection from "../../../src/agent/agui/AguiConnection.js"
import type { Upstream } from "../../../src/agent/agui/Wire.js"
import * as Content from "../../../src/domain/Content.js"
import { RunId } from "../../../src/domain/Ids.js"
import type { SseEvent } from "../../../src/lifecycle/stream/SseSource.js"
import * as StreamManager from "../../../src/lifecycle/StreamManager.js"
import { finished, message, started, task, type Wire } from "./server.js"
import { sessionId, texts } from "./support.js"

const hang = Effect.async<never>(() => {})

/** What its requests are told, and how many of each are open. Of a run nobody hears before it was posted. */
const upstream = (
  frames: { readonly run: ReadonlyArray<Wire>; readonly events: ReadonlyArray<Wire>; readonly waits?: boolean }
) => {
  const posted = Effect.unsafeMakeLatch(frames.waits !== true)
  const open = { run: 0, events: 0 }
  let most = 0
  const request = (kind: "run" | "events") =>
    Effect.map(
      Effect.acquireRelease(
        Effect.sync(() => {
          most = Math.max(most, ++open[kind])
        }),
        // it takes its time
        () => Effect.zipRight(Effect.yieldNow(), Effect.sync(() => open[kind]--))
      ),
      () => {
        const left = [...frames[kind]]
        const pull = Effect.suspend(() => {
          const frame = left.shift()
          const event: SseEvent = { event: "message", id: undefined, data: JSON.stringify(frame) }
          return frame === undefined ? hang : Effect.succeed(Chunk.of(event))
        })
        return { pull: kind === "events" ? Effect.zipRight(posted.await, pull) : pull }
      }
    )
  const wire: Upstream = {
    run: () => Effect.zipRight(posted.open, request("run")),
    events: () =>
      Effect.map(Ref.make(Option.none<string>()), (position) => ({
        connect: request("events"),
        position,
        retry: Effect.succeed(Duration.zero)
      })),
    interrupt: () => undefined
  }
  return { wire, open, most: () => most }
}

const run = RunId.make("run_1")
const input = { runId: run, threadId: "thread-test" }
const turn = [started(input), ...message(run, "m", "hel", "lo"), task("t1"), finished(input)]
const late = { runId: "late", threadId: "thread-test" }

const connect = (wire: Upstream, manager: typeof StreamManager.make = StreamManager.make) =>
  Effect.gen(function*() {
    const scope = yield* Scope.make()
    const options = { url: "http://upstream", events: "http://upstream/events" }
    const streams = yield* manager
    const connection = yield* Scope.extend(
      AguiConnection.connect(options, wire, streams, { sessionId, cwd: "/", resume: Option.none() }),
      scope
    )
    const close = Effect.uninterruptible(Scope.close(scope, Exit.void))
    yield* Effect.addFinalizer(() => close)
    const said: Array<AgentSignal> = []
    /** Takes what is said until it is enough, and what is said in the next moment at least. */
    const until = (enough: () => boolean): Effect.Effect<void> =>
      Effect.flatMap(Effect.timeoutOption(Effect.orDie(connection.signals.takeAll), "1 millis"), (taken) => {
        if (Option.isSome(taken)) said.push(...taken.value[0])
        return enough() ? Effect.void : until(enough)
      })
    return { ...connection, close, said, until }
  })

const ends = (said: ReadonlyArray<AgentSignal>) => said.filter(({ _tag }) => _tag === "TurnEnded").length

const notices = (said: ReadonlyArray<AgentSignal>) =>
  said.filter((signal) => signal._tag === "Said" && signal.event.type === "Extension").length

const events = (said: ReadonlyArray<AgentSignal>) =>
  said.flatMap((signal) => signal._tag === "Said" ? [signal.event] : [])

describe("AG3", () => {
  it.interleaved("what a run and the listener both hear is told once, whoever is first", () =>
    Effect.gen(function*() {
      const named = yield* Interleave.choose("the listener hears the run", ["whole", "from its middle", "not at all"])
      const heard = named === "whole" ? turn : named === "from its middle" ? turn.slice(2) : []
      const { wire } = upstream({
        run: turn,
        waits: true,
        events: [...heard, started(late), ...message("late", "l", "later"), finished(late)]
      })
      const { prompt, said, until } = yield* connect(wire)
      yield* Effect.orDie(prompt(run, [Content.text("hi")]))
      yield* until(() => ends(said) === 2)
      expect(texts(events(said)).toSorted()).toStrictEqual(["hello", "later"])
      expect(notices(said)).toBe(1)
      expect(said.filter(({ _tag }) => _tag === "RunOpened")).toHaveLength(1)
    }), { schedules: 150 })

  it.interleaved("when it is closed, nothing of it is open, whatever it was doing", () =>
    Effect.gen(function*() {
      const { open, wire } = upstream({ run: turn.slice(0, 3), events: [task("t1")] })
      const { cancel, close, prompt } = yield* connect(wire)
      yield* Effect.fork(Effect.either(prompt(run, [Content.text("hi")])))
      yield* Effect.fork(cancel)
      yield* close
      expect(open).toStrictEqual({ run: 0, events: 0 })
    }), { schedules: 250 })

  it.interleaved("a cancel ends a turn once, however it races with its end", () =>
    Effect.gen(function*() {
      const { open, wire } = upstream({ run: turn, events: [] })
      const { cancel, prompt, said, until } = yield* connect(wire)
      yield* Effect.orDie(prompt(run, [Content.text("hi")]))
      yield* Effect.fork(cancel)
      yield* until(() => ends(said) > 0)
      yield* Effect.sleep("1 minute")
      yield* until(() => true)
      expect(ends(said)).toBe(1)
      expect(open.run).toBe(0)
    }), { schedules: 250 })

  it.interleaved("one listens, however often the session comes back", () =>
    Effect.gen(function*() {
      const { most, open, wire } = upstream({ run: [], events: [task("t1")] })
      const streams = yield* StreamManager.make
      const first = yield* connect(wire, Effect.succeed(streams))
      yield* first.close
      expect(yield* streams.keys).toStrictEqual([])
      const second = yield* connect(wire, Effect.succeed(streams))
      yield* second.until(() => notices(second.said) === 1)
      expect({ most: most(), open: open.events }).toStrictEqual({ most: 1, open: 1 })
    }), { schedules: 250 })
})

import type { AGUIEvent } from "@ag-ui/core"
import { describe, expect, it } from "@effect/vitest"
import * as Chunk from "effect/Chunk"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Mailbox from "effect/Mailbox"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/TestClock"
import { leakFreeFile } from "holdfast/testing/vitest"
import type { SessionEvent } from "../../../src/domain/AgentEvent.js"
import * as Content from "../../../src/domain/Content.js"
import type { Elicitation } from "../../../src/domain/Elicitation.js"
import { ElicitationId, RunId } from "../../../src/domain/Ids.js"
import * as Encoding from "../../../src/gateway/agui/Encoding.js"
import * as Projection from "../../../src/gateway/agui/Projection.js"
import * as View from "../../../src/gateway/agui/View.js"
import type { LogEntry } from "../../../src/log/EventLog.js"
import { Sessions } from "../../../src/session/Sessions.js"
import { session as aSession, sessions as given } from "../fixture.js"
import { log, session } from "./histories.js"

leakFreeFile()

const question = (name: string): Elicitation => ({
  id: ElicitationId.make(`eli_${name}`),
  sessionId: session,
  runId: RunId.make("run_1"),
  kind: "confirmation",
  message: name
})
const asked = (name: string): SessionEvent => ({ type: "ElicitationRequested", elicitation: question(name) })

/** A log that a test writes event by event, and what the session says of its open questions. */
const make = Effect.gen(function*() {
  const pages = yield* Mailbox.make<Chunk.Chunk<LogEntry>>()
  let unread = 0
  const stored: Array<readonly [SessionEvent, string]> = []
  let pending: ReadonlyArray<Elicitation> = []
  let head = 0
  const entries = () =>
    log(stored).map((each): LogEntry => ({ seq: each.seq, type: each.event.type, json: JSON.stringify(each) }))
  const sessions = Layer.build(given({
    get: () => Effect.succeed({ ...aSession, id: session, head, elicitations: pending }),
    history: ({ after }) => Stream.fromIterable(entries().slice(after)),
    reader: () =>
      Effect.succeed({
        next: Effect.map(Effect.orDie(pages.take), (page) => {
          unread--
          return Option.some(page)
        }),
        take: () => undefined,
        waits: () => unread === 0,
        onMore: () => {}
      })
  }))
  const service = Context.get(yield* sessions, Sessions)
  const projection = Projection.make(service)
  return {
    projection,
    sessions: service,
    /** Stores, and shows in one page. */
    write: (...events: ReadonlyArray<SessionEvent>) => {
      const from = stored.length
      for (const event of events) stored.push([event, "run_1"])
      head = stored.length
      unread++
      return pages.offer(Chunk.unsafeFromArray(entries().slice(from)))
    },
    open: (...elicitations: ReadonlyArray<Elicitation>) => {
      pending = elicitations
    },
    ahead: (by: number) => {
      head = stored.length + by
    }
  }
})

const started: SessionEvent = { type: "RunStarted", prompt: [Content.text("go")] }

const events = (groups: Chunk.Chunk<Uint8Array>): ReadonlyArray<AGUIEvent> =>
  Chunk.toReadonlyArray(groups).flatMap((bytes) =>
    [...new TextDecoder().decode(bytes).matchAll(/^data: (.*)$/gm)].map(([, data = ""]) => JSON.parse(data))
  )

const reading = Effect.gen(function*() {
  const test = yield* make
  yield* test.write(started)
  const state = yield* test.projection.at(session, 1)
  const { projection, sessions } = test
  const run = { threadId: "t", runId: "r" }
  const reader = yield* sessions.reader({ session, after: 1 }, { follow: true })
  const view = View.open({ sessions, projection, encoding: Encoding.sse, run, reader, state, opening: [] })
  const read = yield* Stream.unfoldEffect(
    undefined,
    () => Effect.map(view.next, Option.map((groups) => [Chunk.fromIterable(groups), undefined]))
  ).pipe(
    Stream.runCollect,
    Effect.map((pages) => events(Chunk.flatten(pages))),
    Effect.fork
  )
  return { ...test, read }
})

const turns = Effect.yieldNow().pipe(Effect.repeatN(100))

describe("a question", () => {
  it.scoped("that is answered, and whose end is not yet in the log, interrupts nobody", () =>
    Effect.gen(function*() {
      const { open, read, write } = yield* reading
      open()
      yield* write(asked("a"))
      yield* turns
      yield* TestClock.adjust("1 seconds")
      yield* write(
        { type: "ElicitationSettled", elicitationId: question("a").id, outcome: { _tag: "Expired" } },
        { type: "TextChunk", text: "on" },
        { type: "RunEnded", outcome: { _tag: "Completed", stopReason: "end_turn" } }
      )
      expect((yield* Fiber.join(read)).at(-1)).toMatchObject({ type: "RUN_FINISHED", outcome: { type: "success" } })
    }))

  it.scoped("that comes a moment after another is told with it", () =>
    Effect.gen(function*() {
      const { ahead, open, read, write } = yield* reading
      open(question("a"))
      yield* write(asked("a"))
      yield* turns
      // it is stored, and on its way
      ahead(1)
      yield* TestClock.adjust("10 millis")
      open(question("a"), question("b"))
      yield* write(asked("b"))
      yield* turns
      yield* TestClock.adjust("10 millis")
      expect((yield* Fiber.join(read)).at(-1)).toMatchObject({
        outcome: { interrupts: [{ id: "eli_a@3" }, { id: "eli_b@3" }] }
      })
    }))

  it.scoped("that is already settled in what is replayed interrupts nobody", () =>
    Effect.gen(function*() {
      const { open, read, write } = yield* reading
      open()
      yield* write(
        asked("a"),
        { type: "TextChunk", text: "b" },
        { type: "ElicitationSettled", elicitationId: question("a").id, outcome: { _tag: "Expired" } }
      )
      yield* write({ type: "RunEnded", outcome: { _tag: "Cancelled" } })
      expect((yield* Fiber.join(read)).map(({ type }) => type)).toEqual([
        "TEXT_MESSAGE_START",
        "TEXT_MESSAGE_CONTENT",
        "CUSTOM",
        "TEXT_MESSAGE_END",
        "RUN_FINISHED"
      ])
    }))
})

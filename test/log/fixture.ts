/** Sessions, events and readers for the tests of the log. */
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { RunId, SessionId } from "../../src/domain/Ids.js"
import type * as Session from "../../src/domain/Session.js"
import * as EventLog from "../../src/log/EventLog.js"
import type { EventStore } from "../../src/log/EventStore.js"

export const session = SessionId.make("ses_1")
export const other = SessionId.make("ses_2")
export const runId = RunId.make("run_1")

export const opened: Session.Draft = { event: { type: "SessionOpened", agent: "demo", cwd: "/tmp" } }
export const said = (text: string): Session.Draft => ({ event: { type: "TextChunk", text }, runId })
export const many = (count: number, text = "word"): ReadonlyArray<Session.Draft> =>
  Array.from({ length: count }, (_, index) => said(`${text} ${index}`))

/** A log that can be closed before the test ends. */
export const open = Effect.fnUntraced(function*(store: EventStore, options?: EventLog.Options) {
  const scope = yield* Effect.acquireRelease(Scope.make(), Scope.close)
  const log = yield* Scope.extend(EventLog.make(store, options), scope)
  return { log, close: Scope.close(scope, Exit.void) }
})

export const collect = <A, E>(stream: Stream.Stream<A, E>) =>
  Effect.map(Stream.runCollect(stream), Chunk.toReadonlyArray)

/** Follows in the background; `seen` is what has come so far. */
export const follow = Effect.fnUntraced(function*(log: EventLog.EventLog["Type"], after = 0, id = session) {
  const seen: Array<number> = []
  const fiber = yield* log.tail({ session: id, after }).pipe(
    Stream.runForEachChunk((page) =>
      Effect.sync(() => {
        for (const { seq } of page) seen.push(seq)
      })
    ),
    Effect.forkScoped
  )
  // it has subscribed, and reads what is there
  yield* settle
  return { seen, fiber }
})

/** Lets every fiber run until it waits. */
export const settle = Effect.repeatN(Effect.yieldNow(), 200)

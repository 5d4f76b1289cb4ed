/**
 * What a crash left open is ended at the next start (EL5).
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import type { EventLogUnavailable } from "../domain/Errors.js"
import type { RunId } from "../domain/Ids.js"
import * as Session from "../domain/Session.js"
import { type EventStore, pageLimit, type Range } from "./EventStore.js"
import type { Observe } from "./Observer.js"
import type { Writer } from "./Writer.js"

/**
 * EL5: every run, question and restart that no one will ever end.
 *
 * @since 0.1.0
 */
export const recover = (
  store: EventStore,
  writer: Writer,
  observe: Observe | undefined
): Effect.Effect<void, EventLogUnavailable> =>
  Effect.flatMap(store.unfinished, (states) =>
    Effect.forEach(
      states,
      (state) =>
        Effect.zipRight(
          observe === undefined ? Effect.void : tellAgain(store, state, observe),
          writer.append(state.id, Session.recovery(state, "Holdfast ended before it did"))
        ),
      { concurrency: "unbounded", discard: true }
    )).pipe(Effect.catchTag("SessionNotFound", "EventLogClosed", Effect.die))

/** An id has no character that JSON escapes; a nested run's beginning names its parent, too. */
const isOf = (run: RunId) => ({ json }: { readonly json: string }) => json.includes(`"runId":"${run}"`)

/**
 * The events of the runs that were open, as if they had just been stored: in the order of the log, each once. Of a run whose beginning was
 * trimmed nothing is told.
 */
const tellAgain = Effect.fnUntraced(function*(store: EventStore, state: Session.SessionState, observe: Observe) {
  const open = [...(state.run === null ? [] : [state.run]), ...state.open.map(({ id }) => id)]
  const starts = yield* Effect.forEach(
    open,
    (run) =>
      Effect.map(beginning(store, state, run), (start) => start === undefined ? [] : [{ start, isOf: isOf(run) }])
  )
  const known = starts.flat()
  if (known.length === 0) return
  for (let after = Math.min(...known.map(({ start }) => start)) - 1; after < state.head;) {
    const page = yield* store.page({ session: state.id, after, upTo: state.head })
    yield* observe(state, page.filter((entry) => known.some(({ isOf, start }) => entry.seq >= start && isOf(entry))))
    after = page.at(-1)?.seq ?? state.head
  }
})

/** Looks for it from the head backwards: a run's beginning is nearer to the end of the log than to its start. */
const beginning = Effect.fnUntraced(function*(store: EventStore, { head, id }: Session.SessionState, run: RunId) {
  const isBeginning = isOf(run)
  for (let upTo = head; upTo > 0; upTo -= pageLimit.events) {
    const from = Math.max(0, upTo - pageLimit.events)
    const window: Range = { session: id, after: from, upTo }
    for (let after = from; after < upTo;) {
      const page = yield* store.page({ ...window, after })
      const start = page.find((entry) => entry.type === "RunStarted" && isBeginning(entry))
      if (start !== undefined) return start.seq
      // below the horizon
      if (page[0]?.seq !== after + 1) return undefined
      after = page.at(-1)?.seq ?? upTo
    }
  }
  return undefined
})

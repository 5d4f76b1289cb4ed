/**
 * One run of AG-UI: posted, and its stream read to the event that ends it, no faster than the signals are taken.
 *
 * @since 0.1.0
 */
import { EventType, type RunAgentInput, type RunFinishedEvent } from "@ag-ui/core"
import type * as Chunk from "effect/Chunk"
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as Schedule from "effect/Schedule"
import { type AgentError, AgentLost, AgentProtocolError } from "../../domain/Errors.js"
import { freshRunId, type RunId } from "../../domain/Ids.js"
import * as Heartbeat from "../../lifecycle/stream/Heartbeat.js"
import type { SseConnection, SseError, SseEvent } from "../../lifecycle/stream/SseSource.js"
import type { AgentSignal } from "../Agent.js"
import { defaults } from "./AguiOptions.js"
import * as Chunks from "./Chunks.js"
import * as Decode from "./Decode.js"
import * as Order from "./Order.js"
import * as Reader from "./Reader.js"
import type { Thread } from "./Thread.js"
import * as Wire from "./Wire.js"

type Read = Either.Either<RunFinishedEvent, AgentError>

const protocol = (message: string, detail: string): AgentProtocolError =>
  new AgentProtocolError({ message: `the agent sent ${message}`, detail: detail.slice(0, 200) })

/** A server that is just starting gets a moment; nothing was asked of it before. */
const dial = (thread: Thread, input: RunAgentInput) =>
  Effect.retry(thread.upstream.run(input), {
    while: Wire.isNotThereYet,
    schedule: Schedule.exponential("100 millis", 1.5).pipe(
      Schedule.jittered,
      Schedule.upTo(thread.options.startTimeout ?? defaults.startTimeout)
    )
  })

/** What the frames say, and the end of the run if it is among them. */
const frames = (thread: Thread, run: RunId) => {
  const { reader, runs, told } = thread
  const chunks = Chunks.make()
  const order = Order.make()
  const source = told.run()
  let name: string | undefined

  return (events: Chunk.Chunk<SseEvent>) =>
    Effect.gen(function*() {
      const now = yield* Clock.currentTimeMillis
      const said: Array<AgentSignal> = []
      const end = (read: Read) => ({ said, end: Option.some(read) })
      for (const { data } of events) {
        const decoded = Decode.decode(data)
        if (Either.isLeft(decoded)) return end(Either.left(decoded.left))
        const frame = decoded.right
        if (frame._tag === "Unknown") {
          said.push({
            _tag: "Said",
            run,
            event: { type: "Extension", name: `agui.${frame.type}`, payload: frame.json }
          })
          continue
        }
        const expanded = chunks.expand(frame.event)
        if (Either.isLeft(expanded)) return end(Either.left(protocol(expanded.left, data)))
        for (const event of expanded.right) {
          const fault = order.check(event)
          if (fault !== undefined) return end(Either.left(protocol(fault, data)))
          if (event.type === EventType.RUN_STARTED) {
            name = event.runId
            runs.begin(name, run)
          }
          if (event.type === EventType.SUBAGENT_STARTED && !reader.isNamed(event.subagentRunId)) {
            reader.name(event.subagentRunId, yield* freshRunId)
          }
          const fresh = source.pass(event, { now, run: name })
          if (fresh !== undefined) { for (const signal of reader.read(fresh, run)) said.push(signal) }
          if (event.type === EventType.RUN_FINISHED) return end(Either.right(event))
          if (event.type === EventType.RUN_ERROR) return end(Either.left(errorOf(event)))
        }
      }
      return { said, end: Option.none<Read>() }
    })
}

/** What a Holdfast lost is lost here, too. */
const errorOf = (event: { readonly code?: string; readonly message: string }): AgentError =>
  event.code === "Lost" ? new AgentLost({ message: event.message }) : Reader.failure(event)

/** @since 0.1.0 */
export const read = (
  thread: Thread,
  run: RunId,
  input: RunAgentInput
): Effect.Effect<RunFinishedEvent, AgentError> =>
  Effect.scoped(Effect.gen(function*() {
    const { options, runs, signals } = thread
    const idle = options.idle ?? defaults.idle
    const maxEvent = options.maxEventCharacters ?? defaults.maxEventCharacters
    const scope = yield* Effect.scope
    const heartbeat = yield* Heartbeat.make({ idle, scope })
    const over = yield* Deferred.make<RunFinishedEvent, AgentError>()
    const handle = frames(thread, run)
    runs.post(input.runId, run)
    yield* Effect.addFinalizer(() => Effect.sync(() => runs.end(run)))

    const gone = (error: Option.Option<SseError>): AgentError =>
      Option.match(error, {
        onNone: () => new AgentLost({ message: "the agent's stream ended before its run had" }),
        onSome: (error) => Wire.toAgentError(error, maxEvent)
      })
    const take = ({ pull }: SseConnection): Effect.Effect<RunFinishedEvent, AgentError> =>
      Effect.gen(function*() {
        const events = yield* Effect.mapError(pull, gone)
        yield* heartbeat.beat
        const { end, said } = yield* handle(events)
        // the socket is read no faster than signals are taken; who waits for room hears nothing, and that is not the agent's silence
        if (said.length > 0) yield* heartbeat.hold(signals.offer(said))
        return end
      }).pipe(Effect.flatMap(Option.match({ onNone: () => take({ pull }), onSome: (end) => end })))

    yield* dial(thread, input).pipe(
      Effect.mapError((error) => Wire.toAgentError(error, maxEvent)),
      Effect.flatMap(take),
      Effect.intoDeferred(over),
      Effect.forkIn(scope)
    )
    // SM7: a peer that is gone without a word fails no read
    const silent = new AgentLost({
      message: `the agent said nothing for ${Duration.format(idle)}, and its run had not ended`
    })
    yield* Effect.forkIn(Effect.zipRight(heartbeat.silence, Deferred.fail(over, silent)), scope)
    return yield* Deferred.await(over)
  }))

/**
 * Hears what an agent says while no run of ours is open (AG3): notices of tasks in the background, and turns that it takes by itself, each of
 * which becomes a run of its own.
 *
 * It lives as long as the connection, one for each: begun with it and not with the first run, gone when it is closed. `StreamManager` dials
 * again after every end, clean ones too, and later each time until a connection was healthy; a peer that is gone without a word is found by
 * the deadline. What a run of ours tells itself is not told again (`Told`).
 *
 * It is lenient where a run's own stream is strict: it may begin anywhere, also in the middle of a run.
 *
 * @since 0.1.0
 */
import { type AGUIEvent, EventType } from "@ag-ui/core"
import * as Cause from "effect/Cause"
import * as Chunk from "effect/Chunk"
import * as Clock from "effect/Clock"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Hash from "effect/Hash"
import * as Option from "effect/Option"
import { AgentLost } from "../../domain/Errors.js"
import { freshRunId, type RunId } from "../../domain/Ids.js"
import type * as Backoff from "../../lifecycle/stream/Backoff.js"
import type { SseConnection, SseError, SseEvent, SseSource } from "../../lifecycle/stream/SseSource.js"
import type * as StreamManager from "../../lifecycle/StreamManager.js"
import type { AgentSignal, TurnResult } from "../Agent.js"
import * as Chunks from "./Chunks.js"
import * as Decode from "./Decode.js"
import * as Reader from "./Reader.js"
import type { Thread } from "./Thread.js"
import type { Turns } from "./Turns.js"

/** Answers after which nothing will ever come: there is no such place, or the server wants to be left alone. */
const isFinal = ({ status }: SseError): boolean => status === 404 || status === 405 || status === 410 || status === 204

/** How long a run that nobody knows waits for ours to begin. */
const patience = "5 seconds"

/** How many events are remembered by their ids. */
const most = 1024

/** What came on one connection. */
const connection = ({ thread, turns }: Begun, seen: Set<string>) => {
  const { reader, runs, signals, told } = thread
  const chunks = Chunks.make()
  const source = told.listener()
  /** The run that was begun last here: what names no run is of this one. */
  let current: string | undefined
  let strange = false
  const heard = new Set<RunId>()

  const offer = (said: ReadonlyArray<AgentSignal>) => said.length === 0 ? Effect.void : signals.offer(said)

  const begin = (name: string, parent: string | undefined) =>
    Effect.gen(function*() {
      // a run of ours has a name only when it has begun, and this may be it
      if (runs.isStarting() && runs.find(name) === undefined) yield* Effect.timeoutOption(runs.started, patience)
      if (runs.find(name) !== undefined) return
      const run = yield* freshRunId
      runs.hear(name, run)
      heard.add(run)
      yield* offer([{
        _tag: "RunOpened",
        run,
        parent: parent === undefined ? undefined : runs.find(parent)?.run,
        until: "session",
        prompt: []
      }])
    })

  const end = (run: RunId, result: TurnResult) =>
    Effect.suspend(() => {
      runs.end(run)
      return heard.delete(run) ? offer([{ _tag: "TurnEnded", run, result }]) : Effect.void
    })

  const say = (event: AGUIEvent, run: RunId | undefined, name: string | undefined) =>
    Effect.gen(function*() {
      const fresh = source.pass(event, { now: yield* Clock.currentTimeMillis, run: name })
      if (fresh === undefined) return
      if (fresh.type === EventType.SUBAGENT_STARTED && !reader.isNamed(fresh.subagentRunId)) {
        reader.name(fresh.subagentRunId, yield* freshRunId)
      }
      yield* offer(reader.read(fresh, run))
    })

  const onEvent = (event: AGUIEvent, named: string | undefined) =>
    Effect.gen(function*() {
      if (event.type === EventType.RUN_STARTED) {
        current = event.runId
        return yield* begin(event.runId, event.parentRunId)
      }
      const name = named ?? current
      if (name !== undefined && runs.find(name) === undefined) yield* begin(name, undefined)
      const found = name === undefined ? undefined : runs.find(name)
      const isEnd = event.type === EventType.RUN_FINISHED || event.type === EventType.RUN_ERROR
      // within the span of a run of ours, its own stream tells everything
      const within = name !== undefined && name === current
      if (isEnd && within) current = undefined
      if (found?._tag === "Ours" || found?._tag === "Over" && (within || isEnd)) return
      if (!isEnd) return yield* say(event, found?.run, name)
      if (found === undefined) return
      if (event.type === EventType.RUN_ERROR) {
        return yield* end(found.run, { _tag: "Failed", error: Reader.failure(event) })
      }
      yield* say(event, found.run, name)
      runs.end(found.run)
      // what it stops for is asked, and the answer posted, while more is heard here
      heard.delete(found.run)
      yield* Effect.forkIn(Effect.interruptible(turns.conclude(found.run, event)), thread.scope)
    })

  const warn = (message: string, detail: string) =>
    Effect.suspend(() => {
      if (strange) return Effect.void
      strange = true
      return offer([{ _tag: "Said", event: { type: "Warning", message, detail } }])
    })

  const onFrame = ({ data, id }: SseEvent) =>
    Effect.gen(function*() {
      if (id !== undefined && id !== "") {
        // with what it says: a server that was started anew may give the ids again, to other events
        const key = `${id} ${data.length} ${Hash.string(data)}`
        if (seen.has(key)) return
        seen.add(key)
        if (seen.size > most) {
          for (const oldest of seen) {
            seen.delete(oldest)
            break
          }
        }
      }
      const decoded = Decode.decode(data)
      if (Either.isLeft(decoded)) return yield* warn(`between runs ${decoded.left.message}`, decoded.left.detail)
      const frame = decoded.right
      if (frame._tag === "Unknown") {
        return yield* offer([{
          _tag: "Said",
          event: { type: "Extension", name: `agui.${frame.type}`, payload: frame.json },
          run: frame.run === undefined ? undefined : runs.find(frame.run)?.run
        }])
      }
      const expanded = chunks.expand(frame.event)
      if (Either.isLeft(expanded)) {
        return yield* warn(`between runs the agent sent ${expanded.left}`, data.slice(0, 200))
      }
      for (const event of expanded.right) yield* onEvent(event, frame.run)
    })

  return {
    handle: (events: Chunk.Chunk<SseEvent>) => Effect.forEach(events, onFrame, { discard: true }),
    /** A run that is open when the connection ends is lost: nobody says any more how it goes on. */
    ended: Effect.suspend(() =>
      Effect.forEach([...heard], (run) =>
        end(run, {
          _tag: "Failed",
          error: new AgentLost({ message: "the agent's events broke off before its run had ended" })
        }), { discard: true })
    )
  }
}

/** A thread in which something was said. @since 0.1.0 */
export interface Begun {
  readonly thread: Thread
  readonly turns: Turns
}

/** One session's. @since 0.1.0 */
export interface Options {
  /** Its name among the `streams`. */
  readonly key: string
  readonly source: SseSource
  readonly streams: StreamManager.StreamManager["Type"]
  readonly signals: Thread["signals"]
  /** For so long may the endpoint say nothing, comments included. */
  readonly idle: Duration.DurationInput
  /** The thread that it listens to, which begins with the first event if no run came before. */
  readonly talk: () => Begun
  readonly redial?: Backoff.Policy | undefined
}

/**
 * Starts it; it goes on until its key is detached. An endpoint that is not there is said once, and then left alone.
 *
 * @since 0.1.0
 */
export const attach = ({ idle, key, redial, signals, source, streams, talk }: Options): Effect.Effect<void> =>
  Effect.suspend(() => {
    let seen: Set<string> | undefined
    let said: string | undefined

    const warn = (error: SseError) =>
      Effect.suspend(() => {
        const message = isFinal(error)
          ? `what the agent says between runs is not heard: ${error.message}`
          : `what the agent says between runs is not heard for now: ${error.message}`
        if (said === error.reason + (error.status ?? "")) return Effect.void
        said = error.reason + (error.status ?? "")
        return signals.offer([{
          _tag: "Said",
          event: {
            type: "Warning",
            message,
            ...(error.body === undefined || error.body === "" ? {} : { detail: error.body })
          }
        }])
      })

    const spec: StreamManager.StreamSpec<SseConnection, SseError> = {
      connect: source.connect,
      run: ({ pull }, heartbeat) => {
        let heard: ReturnType<typeof connection> | undefined
        said = undefined
        const handle = (events: Chunk.Chunk<SseEvent>) => {
          // a comment begins no thread
          if (Chunk.isEmpty(events)) return heartbeat.beat
          heard ??= connection(talk(), seen ??= new Set())
          return Effect.zipRight(heartbeat.beat, heartbeat.hold(heard.handle(events)))
        }
        return Effect.forever(Effect.flatMap(pull, handle)).pipe(
          Effect.catchAll(Option.match({ onNone: () => Effect.void, onSome: (error) => Effect.fail(error) })),
          Effect.ensuring(Effect.suspend(() => heard === undefined ? Effect.void : heard.ended))
        )
      },
      redial,
      redialAfter: source.retry,
      connectTimeout: "30 seconds",
      idle,
      onEnd: ({ cause }) => {
        const error = cause === undefined ? Option.none() : Cause.failureOption(cause)
        if (Option.isNone(error) || error.value.reason !== "Refused") return Effect.void
        // from inside the stream it is only told so, and not waited for
        return Effect.zipRight(
          warn(error.value),
          isFinal(error.value) ? streams.detach(key, error.value.message) : Effect.void
        )
      }
    }
    return Effect.asVoid(Effect.orDie(streams.attach(key, spec)))
  })

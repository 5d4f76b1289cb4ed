/**
 * The sessions of a running gateway, as an editor's edge needs them.
 *
 * An editor that is attached lives through a restart of the gateway: its cursor goes on by itself, and a command that can be repeated is,
 * for a while.
 *
 * @since 0.1.0
 */
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import type { SessionId } from "../domain/Ids.js"
import type { StoredEvent } from "../domain/StoredEvent.js"
import type { Fault, Hosting } from "../gateway/acp/Hosting.js"
import type { CliError } from "./CliError.js"
import type { GatewayClient } from "./GatewayClient.js"

const toFault = ({ message, reported }: CliError): Fault => reported ?? { _tag: "GatewayError", message }

const told = <A, R>(command: Effect.Effect<A, CliError, R>): Effect.Effect<A, Fault, R> =>
  Effect.mapError(command, toFault)

/** Nothing was wrong with the command: the gateway is not there for a moment. */
const isPassing = ({ _tag }: Fault) => _tag === "GatewayUnreachable" || _tag === "Draining"

const patience = Schedule.exponential("250 millis").pipe(
  Schedule.union(Schedule.spaced("2 seconds")),
  Schedule.upTo("20 seconds")
)

/** Of a command that does no harm if it has come through, and only its response has not. */
const again = <A>(command: Effect.Effect<A, Fault>): Effect.Effect<A, Fault> =>
  Effect.retry(command, { while: isPassing, schedule: patience })

const Expired = Schema.TaggedStruct("CursorExpired", { oldest: Schema.Number })
const isExpired = Schema.is(Expired)

/** @since 0.1.0 */
export const make = (gateway: GatewayClient): Hosting => {
  const events = (id: SessionId, after: number): Stream.Stream<StoredEvent, Fault> =>
    Stream.suspend(() => {
      let broken = false
      const onBreak = (reason: string) =>
        Effect.suspend(() => {
          if (broken) return Effect.void
          broken = true
          return Effect.logInfo(`${reason}; trying again`)
        })
      return gateway.events(id, after, onBreak).pipe(
        Stream.mapChunks((entries) => {
          broken = false
          return Chunk.map(entries, ({ stored }) => stored)
        }),
        Stream.catchAll((error) =>
          isExpired(error.reported) ? events(id, error.reported.oldest - 1) : Stream.fail(toFault(error))
        )
      )
    })
  return {
    create: (session) => told(gateway.create(session)),
    get: (id) => again(told(gateway.get(id))),
    list: Stream.mapError(gateway.sessions, toFault),
    prompt: (id, { content, idempotencyKey }) =>
      Effect.asVoid(again(told(gateway.prompt(id, content, { whenBusy: "queue", idempotencyKey })))),
    cancel: (id) => again(told(gateway.cancel(id))),
    setMode: (id, modeId) => again(told(gateway.setMode(id, modeId))),
    setConfigOption: (id, configId, value) => again(told(gateway.setConfigOption(id, configId, value))),
    answer: (id, elicitation, answer) =>
      again(Effect.mapError(
        gateway.answer(id, elicitation, answer),
        (error) => error._tag === "CliError" ? toFault(error) : error
      )),
    close: (id) => again(told(gateway.close(id))),
    events
  }
}

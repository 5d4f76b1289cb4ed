/**
 * The two deadlines of a connection: that of its dial, and that of the peer's silence (SM7). Each is a fiber in the connection's scope, and
 * only there when the spec asks for it.
 *
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type * as Scope from "effect/Scope"
import * as Ends from "./Ends.js"
import * as Heartbeat from "./Heartbeat.js"
import type { StreamSpec } from "./Spec.js"
import type { Verdict } from "./State.js"

const format = (duration: Duration.DurationInput) => Duration.format(Duration.decode(duration))

/**
 * The dial, given up when it takes too long. No `Effect.timeout`: when that is interrupted, it goes on before the dial is gone (SM1).
 *
 * @since 0.1.0
 */
export const dial = <A, E>(
  { connect, connectTimeout }: Pick<StreamSpec<A, E>, "connect" | "connectTimeout">,
  scope: Scope.Scope,
  giveUp: (verdict: Verdict<E>) => void
): Effect.Effect<A, E, Scope.Scope> => {
  if (connectTimeout === undefined) return connect
  const late = Effect.sync(() =>
    giveUp({ reason: "TimedOut", message: `the dial took longer than ${format(connectTimeout)}` })
  )
  return Effect.flatMap(
    Effect.forkIn(Effect.delay(late, connectTimeout), scope),
    (deadline) => Effect.tap(connect, () => Fiber.interrupt(deadline))
  )
}

/**
 * The heartbeat for `run`; gives the connection up when the peer is silent.
 *
 * @since 0.1.0
 */
export const silence = <A, E>(
  { idle, probe }: Pick<StreamSpec<A, E>, "idle" | "probe">,
  connection: A,
  scope: Scope.Scope,
  giveUp: (verdict: Verdict<E>) => void
): Effect.Effect<Heartbeat.Heartbeat> => {
  if (idle === undefined) return Effect.succeed(Heartbeat.none)
  const silent = Effect.sync(() => giveUp({ reason: "Silent", message: `no sign of life came for ${format(idle)}` }))
  const failed = (cause: Cause.Cause<E>) =>
    Effect.sync(() => {
      if (!Cause.isInterruptedOnly(cause)) giveUp({ reason: "Failed", message: Ends.messageOf(cause), cause })
    })
  return Effect.flatMap(
    Heartbeat.make({
      idle,
      scope,
      probe: probe === undefined
        ? undefined
        : { every: probe.every, send: Effect.catchAllCause(Effect.suspend(() => probe.send(connection)), failed) }
    }),
    (heartbeat) => Effect.as(Effect.forkIn(Effect.zipRight(heartbeat.silence, silent), scope), heartbeat)
  )
}

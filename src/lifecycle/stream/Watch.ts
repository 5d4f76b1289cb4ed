/**
 * The two deadlines of a connection: that of its dial, and that of the peer's silence (SM7), each only there when the spec asks for it. The
 * dial has a fiber for it in the connection's scope, and so has a peer that is asked for signs of life; for the others one watchdog is enough.
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
import type { Watchdog } from "./Watchdog.js"

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
  watchdog: Watchdog,
  giveUp: (verdict: Verdict<E>) => void
): Effect.Effect<Heartbeat.Heartbeat> => {
  if (idle === undefined) return Effect.succeed(Heartbeat.none)
  const silent = () => giveUp({ reason: "Silent", message: `no sign of life came for ${format(idle)}` })
  if (probe === undefined) return watchdog.watch(idle, scope, silent)
  const failed = (cause: Cause.Cause<E>) =>
    Effect.sync(() => {
      if (!Cause.isInterruptedOnly(cause)) giveUp({ reason: "Failed", message: Ends.messageOf(cause), cause })
    })
  const send = Effect.catchAllCause(Effect.suspend(() => probe.send(connection)), failed)
  return Effect.flatMap(
    Heartbeat.make({ idle, scope, probe: { every: probe.every, send } }),
    (heartbeat) => Effect.as(Effect.forkIn(Effect.zipRight(heartbeat.silence, Effect.sync(silent)), scope), heartbeat)
  )
}

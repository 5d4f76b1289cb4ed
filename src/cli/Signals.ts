/**
 * What follows the first SIGINT or SIGTERM, which `NodeRuntime.runMain` makes an interruption of the program: a second one, or no end
 * within the grace, ends the process at once.
 *
 * `runMain` alone would have neither: its second signal is the platform's default, which runs no `exit` handler, so the process groups of
 * agents would be left behind.
 *
 * @since 0.1.0
 */
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { constants } from "node:os"
import * as Intake from "../lifecycle/stream/Intake.js"

type Signal = "SIGINT" | "SIGTERM"

const exitCode = (signal: Signal): number => 128 + constants.signals[signal]

/** Has the exit code tell which signal came first, whatever the program was doing: also before its command has loaded. @since 0.1.0 */
export const tellExitCode = (): void => {
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.once(signal, () => {
      process.exitCode ??= exitCode(signal)
    })
  }
}

/**
 * Says that a signal is how this command ends well: exit code 0. Of others it is 128 + N.
 *
 * @since 0.1.0
 */
export const endsWell: Effect.Effect<void> = Effect.sync(() => {
  process.exitCode = 0
})

/** @since 0.1.0 */
export const layer = (grace: Duration.DurationInput): Layer.Layer<never> =>
  Layer.scopedDiscard(Effect.gen(function*() {
    const signals = Intake.make<Signal>(2)
    const onInterrupt = () => signals.push(["SIGINT"])
    const onTerminate = () => signals.push(["SIGTERM"])
    // the terminal was closed; by default that would be the end, without any finalizer
    const onHangup = () => void process.kill(process.pid, "SIGTERM")
    yield* Effect.acquireRelease(
      Effect.sync(() => process.on("SIGINT", onInterrupt).on("SIGTERM", onTerminate).on("SIGHUP", onHangup)),
      () => Effect.sync(() => process.off("SIGINT", onInterrupt).off("SIGTERM", onTerminate).off("SIGHUP", onHangup))
    )
    const watch = Effect.gen(function*() {
      const first = yield* signals.take
      const last = yield* Effect.raceFirst(signals.take, Effect.as(Effect.sleep(grace), first))
      yield* Effect.sync(() => process.exit(exitCode(last)))
    })
    yield* Effect.forkScoped(watch)
  }))

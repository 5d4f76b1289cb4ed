/**
 * What the agents' own scopes cannot do: when the process exits without having closed them (a second signal, a grace that has passed, a
 * crash), the process groups that are still there are killed on the way out.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { ProcessLedger } from "../agent/process/ProcessLedger.js"

/**
 * Watches over what the ledger below records.
 *
 * @since 0.1.0
 */
export const layer: Layer.Layer<ProcessLedger, never, ProcessLedger> = Layer.scoped(
  ProcessLedger,
  Effect.gen(function*() {
    const ledger = yield* ProcessLedger
    const groups = new Set<number>()
    const kill = () => {
      for (const group of groups) {
        try {
          process.kill(-group, "SIGKILL")
        } catch {
          // it was faster
        }
      }
    }
    yield* Effect.acquireRelease(
      Effect.sync(() => process.on("exit", kill)),
      () => Effect.sync(() => process.off("exit", kill))
    )
    return ProcessLedger.of({
      mark: ledger.mark,
      record: (group) => Effect.zipRight(Effect.sync(() => groups.add(group)), ledger.record(group)),
      forget: (group) => Effect.zipRight(Effect.sync(() => groups.delete(group)), ledger.forget(group))
    })
  })
)

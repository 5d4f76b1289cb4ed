/**
 * This process's stdin and stdout as a wire to the one who started it.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { Readable } from "node:stream"
import type { Transport } from "../gateway/acp/Editor.js"

/**
 * Reading stops when the scope closes, so that the process can end.
 *
 * @since 0.1.0
 */
export const make: Effect.Effect<Transport, never, Scope.Scope> = Effect.acquireRelease(
  Effect.sync((): Transport => ({
    input: Readable.toWeb(process.stdin),
    // interruptible, unlike the screen's: who leaves does not wait for a reader that does not read
    write: (lines) =>
      Effect.async<void, unknown>((resume) => {
        process.stdout.write(lines, (error) => resume(error ? Effect.fail(error) : Effect.void))
      })
  })),
  () => Effect.sync(() => process.stdin.destroy())
)

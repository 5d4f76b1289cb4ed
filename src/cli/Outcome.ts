/**
 * The end of a run as the end of a command.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import type { StoredEvent } from "../domain/StoredEvent.js"
import * as Ansi from "./Ansi.js"
import { CliError, ExitCode, failed } from "./CliError.js"

/**
 * Succeeds if the run completed. `shown` tells that a person has seen how it ended, on the same screen on which errors are seen.
 *
 * @since 0.1.0
 */
export const check = ({ event }: StoredEvent, shown: boolean): Effect.Effect<void, CliError> => {
  if (event.type !== "RunEnded") return Effect.void
  switch (event.outcome._tag) {
    case "Completed":
      return Effect.void
    case "Cancelled":
      return new CliError({ exitCode: ExitCode.interrupted, lines: [] })
    case "Failed":
      return failed(...shown ? [] : [`the run failed: ${Ansi.oneLine(event.outcome.error.message)}`])
    case "Lost":
      return failed(...shown ? [] : [`the run was lost: ${Ansi.oneLine(event.outcome.reason)}`])
  }
}

/**
 * A session as the terminal sees it: behind it is a session of this process (`run`) or one of a gateway (`attach`).
 *
 * @since 0.1.0
 */
import type * as Effect from "effect/Effect"
import type * as Stream from "effect/Stream"
import type { Entry } from "../client/Client.js"
import type { Elicitation, ElicitationAnswer } from "../domain/Elicitation.js"
import type { ElicitationAlreadySettled, ElicitationAnswerInvalid, ElicitationNotFound } from "../domain/Errors.js"
import type { ElicitationId } from "../domain/Ids.js"
import type { CliError } from "./CliError.js"

/** @since 0.1.0 */
export interface Conversation {
  /** Everything after the cursor, replayed and followed. */
  readonly events: (after: number) => Stream.Stream<Entry, CliError>
  /** The questions that wait for an answer now. */
  readonly pending: Effect.Effect<ReadonlyArray<Elicitation>, CliError>
  readonly answer: (
    id: ElicitationId,
    answer: ElicitationAnswer
  ) => Effect.Effect<void, CliError | ElicitationNotFound | ElicitationAlreadySettled | ElicitationAnswerInvalid>
}

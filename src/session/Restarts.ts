/**
 * The restarts of the sessions' agents: one at a time a session, those that are asked for while one runs share one more, and failing
 * ones do not become a storm. When what happens is `RestartCoalescer`'s to decide; here it is recorded.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import type { LogError } from "../domain/Errors.js"
import type { SessionId } from "../domain/Ids.js"
import type { Covered, RestartCoalescer } from "../lifecycle/RestartCoalescer.js"
import type { LinkError } from "./AgentLink.js"
import type { Recorder } from "./Recorder.js"
import * as Run from "./Run.js"

/** Why a restart fails. @since 0.1.0 */
export type RestartError = LinkError | LogError

/** Those of all sessions. @since 0.1.0 */
export type Restarts = RestartCoalescer<SessionId, void, RestartError>

/**
 * One restart, as the log tells it: what was begun is ended, also when it is interrupted.
 *
 * @since 0.1.0
 */
export const record = (
  { causes, requests }: Covered,
  recorder: Recorder,
  renew: Effect.Effect<void, LinkError>
): Effect.Effect<void, RestartError> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.gen(function*() {
      const first = yield* recorder.begin({ event: { type: "AgentRestarting", cause: causes[0], causes, requests } })
      yield* Effect.annotateCurrentSpan("holdfast.seq.start", first)
      const exit = yield* Effect.exit(restore(renew))
      const last = yield* recorder.end({
        event: Exit.isSuccess(exit)
          ? { type: "AgentRestarted" }
          : { type: "AgentRestartFailed", error: Run.infoOfCause(exit.cause) }
      })
      if (Option.isSome(last)) yield* Effect.annotateCurrentSpan("holdfast.seq.end", last.value)
      return yield* exit
    })
  )

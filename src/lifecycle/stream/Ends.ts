/**
 * How a connection ended, said so that a person understands it (SM6).
 *
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import * as Exit from "effect/Exit"
import * as Inspectable from "effect/Inspectable"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import { type End, place, type State, type StreamEnd } from "./State.js"

const said = (error: unknown): string =>
  Predicate.hasProperty(error, "message") && Predicate.isString(error.message) && error.message !== ""
    ? error.message
    : Inspectable.toStringUnknown(error, 0)

/** One sentence. @since 0.1.0 */
export const messageOf = <E>(cause: Cause.Cause<E>): string =>
  Option.match(Cause.failureOption(cause), {
    onSome: said,
    onNone: () => Cause.isInterruptedOnly(cause) ? "it interrupted itself" : "an internal error; the log has the cause"
  })

const both = <E>(combine: (left: Cause.Cause<E>, right: Cause.Cause<E>) => Cause.Cause<E>) =>
(
  left: Cause.Cause<E>,
  right: Cause.Cause<E>
) => Cause.isEmptyType(left) ? right : Cause.isEmptyType(right) ? left : combine(left, right)

/** What is left when the interruptions are gone, which were the manager's own. */
const mistakes = <E>(...exits: ReadonlyArray<Exit.Exit<unknown, E>>): Cause.Cause<E> | undefined => {
  const rest = exits.filter(Exit.isFailure).filter(({ cause }) => !Cause.isInterruptedOnly(cause)).map(({ cause }) =>
    Cause.match(cause, {
      onEmpty: Cause.empty,
      onFail: Cause.fail<E>,
      onDie: Cause.die,
      onInterrupt: () => Cause.empty,
      onSequential: both<E>(Cause.sequential),
      onParallel: both<E>(Cause.parallel)
    })
  ).reduce(both<E>(Cause.sequential), Cause.empty)
  return Cause.isEmptyType(rest) ? undefined : rest
}

/**
 * @since 0.1.0
 */
export const of = <A, E>(
  closing: Extract<State<A, E>, { _tag: "Closing" }>,
  exit: Exit.Exit<StreamEnd | void, E>,
  /** How closing its scope went. */
  closed: Exit.Exit<void>
): End<E> => {
  const { verdict } = closing
  const where = place(closing)
  if (verdict !== undefined) {
    const { message, reason } = verdict
    const cause = verdict.cause ?? mistakes(exit, closed)
    return { reason, requested: reason === "Detached" || reason === "Closed", message, cause, ...where }
  }
  const cause = mistakes(exit, closed)
  if (cause !== undefined) {
    return {
      reason: Option.isSome(Cause.failureOption(cause)) ? "Failed" : "Defect",
      requested: false,
      message: messageOf(cause),
      cause,
      ...where
    }
  }
  if (Exit.isFailure(exit)) {
    return { reason: "Interrupted", requested: false, message: messageOf(exit.cause), ...where }
  }
  const end = exit.value ?? undefined
  return { reason: "Clean", requested: false, message: end?.message ?? "the peer ended it", said: end, ...where }
}

/**
 * Runs the hooks of a point, and makes one of what they say.
 *
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as FiberId from "effect/FiberId"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as Concurrently from "../../lifecycle/Concurrently.js"
import { type Hook, HookFailed, type HookInput, HookOutput, type HookPoint } from "./Hooks.js"
import * as Permissions from "./Permissions.js"

const decode = Schema.decodeUnknown(HookOutput)

/** What is over does not wait for longer. */
const last: Partial<Record<HookPoint, Duration.Duration>> = {
  OnError: Duration.seconds(5),
  TurnEnd: Duration.seconds(5),
  SessionEnd: Duration.seconds(5)
}

/** What went wrong, in the words of the error itself; a defect's stay in the operator's log. @since 0.1.0 */
export const wordsOf = (cause: Cause.Cause<{ readonly message: string }>): string =>
  Option.match(Cause.failureOption(cause), {
    onSome: ({ message }) => message,
    onNone: () => Cause.isInterruptedOnly(cause) ? "it was interrupted" : "it failed with an internal error"
  })

const strictest = ["deny", "ask", "allow"] as const

const joined = (texts: ReadonlyArray<string | undefined>) => {
  const said = texts.filter((text) => text !== undefined && text !== "")
  return said.length === 0 ? undefined : said.join("\n")
}

/**
 * The strictest decision counts, `deny` before `ask` before `allow`, with the reasons of those who made it; contexts and warnings are
 * joined in the order in which the hooks stand. Of several that replace the arguments the last one does, and a warning says so.
 *
 * @since 0.1.0
 */
export const combine = (outputs: ReadonlyArray<HookOutput>): HookOutput => {
  const decision = strictest.find((each) => outputs.some((output) => output.decision === each))
  const replacing = outputs.filter(({ args }) => args !== undefined)
  const reason = joined(outputs.filter((output) => output.decision === decision).map(({ reason }) => reason))
  const context = joined(outputs.map(({ context }) => context))
  const warning = joined([
    ...outputs.map(({ warning }) => warning),
    replacing.length > 1 ? `${replacing.length} hooks replaced the arguments; those of the last one count` : undefined
  ])
  const args = replacing.at(-1)?.args
  return {
    ...(decision === undefined ? {} : { decision }),
    ...(reason === undefined ? {} : { reason }),
    ...(context === undefined ? {} : { context }),
    ...(args === undefined ? {} : { args }),
    ...(warning === undefined ? {} : { warning })
  }
}

/** @since 0.1.0 */
export type Warn = (message: string) => Effect.Effect<void>

/**
 * Never fails. `warn` is told of what went wrong, and of what a hook wants people to know.
 *
 * @since 0.1.0
 */
export type RunHooks = (input: HookInput, warn: Warn) => Effect.Effect<HookOutput>

/**
 * In a fiber of the scope's: one that cannot be interrupted holds up the one who waits for it for so long, and the scope's end until it is
 * gone. It starts no fiber that belongs to nobody, as `Effect.disconnect` does.
 */
const bounded = <A, E>(
  hook: Effect.Effect<A, E>,
  scope: Scope.Scope,
  limit: { readonly duration: Duration.Duration; readonly onTimeout: () => E }
): Effect.Effect<A, E> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.flatMap(Effect.forkIn(Effect.interruptible(hook), scope), (fiber) =>
      Fiber.await(fiber).pipe(
        Effect.flatten,
        // also at the end of a run, which is uninterruptible itself
        Effect.interruptible,
        Effect.timeoutFail(limit),
        restore,
        Effect.ensuring(fiber.interruptAsFork(FiberId.none))
      ))
  )

/** Hooks that are still there when their run is over belong to the scope. @since 0.1.0 */
export const make = (hooks: ReadonlyArray<Hook>): (scope: Scope.Scope) => RunHooks => {
  const fits = new Map(hooks.map((hook) => [hook, Permissions.glob(hook.tools ?? "*")]))

  const run = (hook: Hook, input: HookInput, warn: Warn, scope: Scope.Scope): Effect.Effect<HookOutput> => {
    const { point } = input
    const within = Duration.min(hook.within, last[point] ?? Duration.infinity)
    const failed = (message: string) => new HookFailed({ hook: hook.name, message })
    return Effect.suspend(() => hook.run(input)).pipe(
      Effect.flatMap(decode),
      Effect.catchTag(
        "ParseError",
        ({ message }) => Effect.fail(failed(`it said what is no output of a hook: ${message}`))
      ),
      (hook) =>
        bounded(hook, scope, {
          duration: within,
          onTimeout: () => failed(`it took longer than ${Duration.format(within)}`)
        }),
      Effect.tapDefect((cause) => Effect.logError(`the hook "${hook.name}" died`, cause)),
      Effect.catchAllCause((cause): Effect.Effect<HookOutput> => {
        const message = `the hook "${hook.name}" at ${point} failed: ${wordsOf(cause)}`
        return Effect.as(warn(message), point === "PreToolUse" ? { decision: "deny", reason: message } : {})
      })
    )
  }

  return (scope) => (input, warn) => {
    const matching = hooks.filter((hook) =>
      hook.point === input.point && (!("tool" in input) || fits.get(hook)?.(input.tool) === true)
    )
    if (matching.length === 0) return Effect.succeed({})
    return Concurrently.forEach(matching, matching.length, (hook) => run(hook, input, warn, scope)).pipe(
      Effect.map(combine),
      Effect.tap(({ warning }) => warning === undefined ? Effect.void : warn(warning))
    )
  }
}

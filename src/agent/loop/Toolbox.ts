/**
 * The toolsets of one agent in one session, open.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Concurrently from "../../lifecycle/Concurrently.js"
import { wordsOf } from "./HookRunner.js"
import { type Tool, type Toolset, type ToolsetContext, ToolsetUnavailable } from "./Toolset.js"

/** What the agent has now. Each trouble is told once, until it is another. @since 0.1.0 */
export type Toolbox = Effect.Effect<ReadonlyArray<Tool>>

/** For what has no time limit of its own. */
const patience = Duration.seconds(30)

const names = /^[\w-]{1,64}$/

/**
 * Never fails: what cannot be opened or listed is a warning, and its tools are missing.
 *
 * @since 0.1.0
 */
export const open = (
  toolsets: ReadonlyArray<Toolset>,
  context: ToolsetContext
): Effect.Effect<Toolbox, never, Scope.Scope> => {
  const told = new Map<string, string>()
  const warn = (about: string, message: string) =>
    Effect.suspend(() => {
      if (told.get(about) === message) return Effect.void
      told.set(about, message)
      return context.warn(message)
    })

  const careful = <A, R>(
    { name }: Toolset,
    effect: Effect.Effect<A, ToolsetUnavailable, R>,
    what: string,
    otherwise: A
  ): Effect.Effect<A, never, R> =>
    effect.pipe(
      Effect.timeoutFail({
        duration: patience,
        onTimeout: () =>
          new ToolsetUnavailable({ toolset: name, message: `it took longer than ${Duration.format(patience)}` })
      }),
      Effect.tapBoth({ onFailure: () => Effect.void, onSuccess: () => Effect.sync(() => told.delete(name)) }),
      Effect.tapDefect((cause) => Effect.logError(`the toolset "${name}" died`, cause)),
      Effect.catchAllCause((cause) =>
        Effect.as(warn(name, `the toolset "${name}" ${what}: ${wordsOf(cause)}`), otherwise)
      )
    )

  const none: Effect.Effect<ReadonlyArray<Tool>, ToolsetUnavailable> = Effect.succeed([])

  return Effect.map(
    Concurrently.forEach(
      toolsets,
      toolsets.length,
      (toolset) =>
        Effect.map(
          careful(toolset, Effect.suspend(() => toolset.open(context)), "cannot be opened", undefined),
          (list = none) => careful(toolset, Effect.suspend(() => list), "has no list of tools now", [])
        )
    ),
    (lists): Toolbox =>
      Effect.flatMap(Concurrently.forEach(lists, lists.length, (list) => list), (lists) => {
        const tools = new Map<string, Tool>()
        const refused: Array<string> = []
        for (const tool of lists.flat()) {
          if (names.test(tool.name) && !tools.has(tool.name)) tools.set(tool.name, tool)
          else refused.push(tool.name)
        }
        const all = [...tools.values()]
        return refused.length === 0 ? Effect.succeed(all) : Effect.as(
          warn("", `tools whose name is taken, or none that a model can call, are left out: ${refused.join(", ")}`),
          all
        )
      })
  )
}

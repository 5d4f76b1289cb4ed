/**
 * The tools of an Effect application: an `@effect/ai` toolkit and the layer of its handlers, as a `Toolset`.
 *
 * ```ts
 * const Clock = Toolkit.make(Tool.make("now", { description: "What time it is", success: Schema.String }))
 * const clock = ToolkitTools.fromToolkit(Clock, Clock.toLayer({ now: () => Effect.map(DateTime.now, DateTime.formatIso) }))
 * ```
 *
 * A handler that wants to ask a person, or to tell how far it is, declares `dependencies: [CurrentCall]`.
 *
 * @since 0.1.0
 */
import * as AiTool from "@effect/ai/Tool"
import type * as Toolkit from "@effect/ai/Toolkit"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as ParseResult from "effect/ParseResult"
import * as Predicate from "effect/Predicate"
import * as Schema from "effect/Schema"
import { text, type Tool, type ToolContext, ToolFailure, type Toolset, ToolsetUnavailable } from "./Toolset.js"

/** The call that a handler works for. @since 0.1.0 */
export class CurrentCall extends Context.Tag("holdfast/loop/CurrentCall")<CurrentCall, ToolContext>() {}

const toText = (value: unknown): string =>
  typeof value === "string" ? value : value === undefined ? "" : JSON.stringify(value)

const why = (error: unknown): string =>
  ParseResult.isParseError(error)
    ? ParseResult.TreeFormatter.formatErrorSync(error)
    : Predicate.hasProperty(error, "cause") && ParseResult.isParseError(error.cause)
    ? why(error.cause)
    : Predicate.hasProperty(error, "message") && typeof error.message === "string"
    ? error.message
    : toText(error)

/** A toolkit with its handlers as it is when it runs: it decodes the arguments itself, though its type says that they are decoded. */
interface Handling {
  readonly tools: { readonly [key: string]: Described }
  readonly handle: (
    key: string,
    args: unknown
  ) => Effect.Effect<{ readonly encodedResult: unknown; readonly isFailure: boolean }, unknown, CurrentCall>
}

type Described = Omit<AiTool.Any, "parametersSchema"> & { readonly parametersSchema: Schema.Schema<unknown> }

const isHandling = (built: unknown): built is Handling =>
  Predicate.hasProperty(built, "tools") && Predicate.hasProperty(built, "handle") && typeof built.handle === "function"

const toTool = ({ handle }: Handling, key: string, tool: Described): Tool => {
  const decode = Schema.decodeUnknown(tool.parametersSchema)
  const failure = (error: unknown) => new ToolFailure({ message: why(error) })
  return {
    name: tool.name,
    description: tool.description ?? "",
    parameters: AiTool.getJsonSchemaFromSchemaAst(tool.parametersSchema.ast),
    readOnly: Context.get(tool.annotations, AiTool.Readonly),
    title: Option.getOrUndefined(Context.getOption(tool.annotations, AiTool.Title)),
    check: (args) => Effect.mapBoth(decode(args), { onSuccess: () => void 0, onFailure: failure }),
    call: (args, call) =>
      handle(key, args).pipe(
        Effect.mapBoth({
          onSuccess: ({ encodedResult, isFailure }) => ({
            ...text(toText(encodedResult)),
            structured: encodedResult,
            isError: isFailure
          }),
          onFailure: failure
        }),
        Effect.provideService(CurrentCall, call)
      )
  }
}

/**
 * The layer is built when a session opens, and released with it. What handlers depend on comes with the layer, see `Layer.provideMerge`.
 *
 * @since 0.1.0
 */
export const fromToolkit = <Tools extends Record<string, AiTool.Any>, E>(
  toolkit: Toolkit.Toolkit<Tools>,
  handlers: Layer.Layer<
    AiTool.HandlersFor<Tools> | Exclude<AiTool.Requirements<Tools[keyof Tools]>, CurrentCall>,
    E
  >,
  options: { readonly name?: string | undefined } = {}
): Toolset => {
  const name = options.name ?? (Object.keys(toolkit.tools).join(", ") || "toolkit")
  return {
    name,
    open: () =>
      Effect.gen(function*() {
        const context = yield* Layer.build(handlers)
        const built: unknown = yield* Effect.provide(toolkit, context)
        if (!isHandling(built)) return yield* Effect.dieMessage("a toolkit with handlers has `tools` and `handle`")
        const { handle, tools } = built
        const handling: Handling = {
          tools,
          handle: (key, args) =>
            Effect.mapInputContext(handle(key, args), (call: Context.Context<CurrentCall>) =>
              Context.merge(context, call))
        }
        return Effect.succeed(
          Object.entries(tools).map(([key, tool]) =>
            toTool(handling, key, tool)
          )
        )
      }).pipe(
        Effect.mapError((error) => new ToolsetUnavailable({ toolset: name, message: why(error) }))
      )
  }
}

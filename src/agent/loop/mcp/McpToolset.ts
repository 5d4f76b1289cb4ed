/**
 * The tools of an MCP server as a toolset of the loop: the server is started with the session and stopped with it, and dialed again, with
 * back-off, when it is gone.
 *
 * ```ts
 * const files = McpToolset.make({ name: "files", command: "npx", args: ["-y", "@modelcontextprotocol/server-filesystem", "."] })
 * const search = McpToolset.make({ name: "search", url: "https://mcp.example/mcp", headers: { authorization: Redacted.make("…") } })
 * ```
 *
 * A server that is down keeps its tools in the list: a call waits for it a little, and then fails, and the model is told why. What a
 * server asks (`elicitation/create`) reaches a person in the name of the run whose call caused it, and no later than the call's end.
 *
 * @since 0.1.0
 */
import type { Tool as McpTool } from "@modelcontextprotocol/client"
import * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as StreamManager from "../../../lifecycle/StreamManager.js"
import * as ProcessLedger from "../../process/ProcessLedger.js"
import { type Tool, ToolFailure, type Toolset, ToolsetUnavailable } from "../Toolset.js"
import * as McpConnection from "./McpConnection.js"
import type { McpServer } from "./McpOptions.js"
import * as McpTools from "./McpTools.js"

export { McpServer } from "./McpOptions.js"

/** How long a call waits for a server that is being started again, at most. */
const patience = Duration.seconds(10)

/**
 * With a `ledger`, the process of a local server that a killed gateway left behind is ended at the next start.
 *
 * @since 0.1.0
 */
export const make = (
  server: McpServer,
  options: { readonly ledger?: ProcessLedger.ProcessLedger["Type"] } = {}
): Toolset => {
  const { name } = server
  const timeout = McpConnection.startTimeout(server)
  const open: Toolset["open"] = ({ cwd, warn }) =>
    Effect.gen(function*() {
      const streams = yield* StreamManager.make
      const settled = yield* Deferred.make<void>()
      let listed: ReadonlyArray<McpTool> | undefined
      let latest: McpConnection.McpConnection | undefined
      let why = "it has not answered yet"

      const handle = yield* streams.attach<McpConnection.McpConnection, McpConnection.McpUnavailable>(name, {
        connectTimeout: timeout,
        connect: McpConnection.connect({
          server,
          cwd,
          ledger: options.ledger ?? ProcessLedger.none,
          onTools: (tools) => {
            listed = tools
          }
        }).pipe(Effect.tap((connection) => {
          latest = connection
          return Deferred.succeed(settled, void 0)
        })),
        run: ({ ended }) => ended,
        onEnd: ({ attempt, cause, connected, message, requested }) =>
          Effect.gen(function*() {
            const failure = cause === undefined ? Option.none() : Cause.failureOption(cause)
            why = connected && latest !== undefined
              ? yield* latest.epitaph
              : Option.isSome(failure)
              ? failure.value.message
              : message
            yield* Deferred.succeed(settled, void 0)
            // of a row of failures the first says it
            if (requested || !(connected || attempt === 1)) return
            yield* warn(
              connected
                ? `the MCP server ${name} is gone and is started again: ${why}`
                : `the MCP server ${name} cannot be used and is tried again: ${why}`
            )
          })
      }).pipe(Effect.orDie)

      const connected: typeof handle.ready = Effect.flatMap(
        handle.ready,
        (connection) =>
          Effect.if(connection.isOpen, {
            onTrue: () => Effect.succeed(connection),
            // its end is about to be seen
            onFalse: () => Effect.delay(connected, "10 millis")
          })
      )

      const call = (tool: string): Tool["call"] => (args, context) => {
        const attempt = connected.pipe(
          Effect.timeout(Duration.min(timeout, patience)),
          Effect.mapError(() => new ToolFailure({ message: `the MCP server ${name} is not there: ${why}` })),
          Effect.flatMap((connection) => connection.call(tool, args, context))
        )
        return attempt.pipe(
          Effect.catchTag("McpSessionGone", () => attempt),
          Effect.catchTag("McpSessionGone", ({ message }) => new ToolFailure({ message }))
        )
      }

      return Effect.suspend(() => listed === undefined ? Deferred.await(settled) : Effect.void).pipe(
        Effect.zipRight(Effect.suspend(() =>
          listed === undefined
            ? new ToolsetUnavailable({ toolset: name, message: `the MCP server ${name} cannot be used: ${why}` })
            : Effect.succeed(McpTools.toTools(name, listed, call))
        ))
      )
    })
  return { name, open }
}

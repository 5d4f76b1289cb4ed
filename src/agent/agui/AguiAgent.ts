/**
 * Agents behind an AG-UI endpoint: each session is a thread there, each run a POST whose answer is a stream of events.
 *
 * ```ts
 * const agents = AguiAgent.layer({
 *   remote: { url: "http://127.0.0.1:8001/", events: "http://127.0.0.1:8001/events", token: Redacted.make("…") }
 * }).pipe(Layer.provide(NodeHttpClient.layer))
 * ```
 *
 * @see https://docs.ag-ui.com
 * @since 0.1.0
 */
import type * as HttpClient from "@effect/platform/HttpClient"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import * as StreamManager from "../../lifecycle/StreamManager.js"
import { type Agent, Agents, makeAgents } from "../Agent.js"
import { connect } from "./AguiConnection.js"
import type { AguiAgentOptions } from "./AguiOptions.js"
import * as Wire from "./Wire.js"

export { AguiAgentOptions } from "./AguiOptions.js"
export { probe } from "./Wire.js"

/**
 * What its connections hear between runs ends with the scope, too.
 *
 * @since 0.1.0
 */
export const make = (
  name: string,
  options: AguiAgentOptions
): Effect.Effect<Agent, never, HttpClient.HttpClient | Scope.Scope> =>
  Effect.zipWith(Wire.make(options), StreamManager.make, (upstream, streams) => ({
    name,
    kind: "agui",
    description: options.description ?? options.url,
    connect: (session) => connect(options, upstream, streams, session)
  }))

/** @since 0.1.0 */
export const layer = (
  agents: Readonly<Record<string, AguiAgentOptions>>
): Layer.Layer<Agents, never, HttpClient.HttpClient> =>
  Layer.scoped(
    Agents,
    Effect.map(Effect.forEach(Object.entries(agents), ([name, options]) => make(name, options)), makeAgents)
  )

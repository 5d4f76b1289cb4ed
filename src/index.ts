/**
 * The session runtime under an agent application, as Layers.
 *
 * ```ts
 * import { AcpAgent, EventLog, Sessions } from "holdfast"
 *
 * const Runtime = Sessions.layer.pipe(
 *   Layer.provide([
 *     EventLog.layerSqlite({ filename: "app.db" }),
 *     AcpAgent.layer({ demo: { command: "holdfast", args: ["demo-agent"] } })
 *   ]),
 *   Layer.provide(NodeContext.layer)
 * )
 * ```
 *
 * Each name is a module; a service's tag has the module's name: `yield* Sessions.Sessions`.
 *
 * @since 0.1.0
 */

/** The driver contract: implement it to bring an agent of your own. */
export * as Agent from "./agent/Agent.js"
/** Agents that speak the Agent Client Protocol over stdio. */
export * as AcpAgent from "./agent/acp/AcpAgent.js"
/** Agents of your own, in this process: a model, instructions, tools, and a loop that lets them work. */
export * as LoopAgent from "./agent/loop/LoopAgent.js"
/** The models that such agents think with. */
export * as LoopModel from "./agent/loop/LoopModel.js"
/** Programs of yours that see their runs at named points, and may have a say in them. */
export * as Hooks from "./agent/loop/Hooks.js"
/** Hooks that are programs: JSON on stdin and stdout. */
export * as CommandHook from "./agent/loop/CommandHook.js"
/** The tools of an MCP server. */
export * as McpToolset from "./agent/loop/mcp/McpToolset.js"
/** What such agents can do. */
export * as Toolset from "./agent/loop/Toolset.js"
/** `@effect/ai` toolkits as what such agents can do. */
export * as ToolkitTools from "./agent/loop/ToolkitTools.js"
/** Agents behind an AG-UI endpoint. */
export * as AguiAgent from "./agent/agui/AguiAgent.js"
/** Agents behind an agentctl host. */
export * as AgentctlAgent from "./agent/agentctl/AgentctlAgent.js"
/** The event vocabulary. */
export * as AgentEvent from "./domain/AgentEvent.js"
/** What prompts and messages are made of. */
export * as Content from "./domain/Content.js"
/** What was decided for every further question about the same. */
export * as Decision from "./domain/Decision.js"
/** Questions to a person, and their answers. */
export * as Elicitation from "./domain/Elicitation.js"
/** Questions of the Model Context Protocol, to and from ours. */
export * as McpElicitation from "./domain/McpElicitation.js"
/** Every way in which something fails. */
export * as Errors from "./domain/Errors.js"
/** Session, run and question ids, and where fresh ones come from. */
export * as Ids from "./domain/Ids.js"
/** A session as its events tell it. */
export * as Session from "./domain/Session.js"
/** An event with its place in the log. */
export * as StoredEvent from "./domain/StoredEvent.js"
/** Holdfast as an agent of an editor, over any pair of streams. */
export * as AcpServer from "./gateway/acp/AcpServer.js"
/** Where the sessions live that an editor attaches to. */
export * as AcpHosting from "./gateway/acp/Hosting.js"
/** The HTTP gateway. */
export * as Gateway from "./gateway/Gateway.js"
/** Carries questions to a person and the answer back. */
export * as ElicitationBridge from "./lifecycle/ElicitationBridge.js"
/** One restart at a time for each key, and one for all who ask while another runs. */
export * as RestartCoalescer from "./lifecycle/RestartCoalescer.js"
/** Keeps connections up, and leaves nothing of them behind. */
export * as StreamManager from "./lifecycle/StreamManager.js"
/** How long a stream waits before it is dialed again. */
export * as Backoff from "./lifecycle/stream/Backoff.js"
/** Handles what comes from a connection beside the loop that reads it. */
export * as Inbox from "./lifecycle/stream/Inbox.js"
/** The requests of one connection, and their responses. */
export * as Requests from "./lifecycle/stream/Requests.js"
/** Server-sent events as a connection of a stream. */
export * as SseSource from "./lifecycle/stream/SseSource.js"
/** A WebSocket as a connection of a stream. */
export * as WebSocketSource from "./lifecycle/stream/WebSocketSource.js"
/** Numbers events, stores them, and only then shows them. */
export * as EventLog from "./log/EventLog.js"
/** One run as a stream. */
export * as RunStream from "./session/RunStream.js"
/** The commands: the one door through which clients reach sessions. */
export * as Sessions from "./session/Sessions.js"
/** Traces of runs, for whatever tracer there is. */
export * as Tracing from "./telemetry/Tracing.js"

/**
 * A gateway on a real port, over real sessions with agents that a test writes, and the official client.
 */
import { type BaseEvent, HttpAgent } from "@ag-ui/client"
import type { AGUIEvent, Interrupt, Message, ResumeEntry } from "@ag-ui/core"
import * as NodeContext from "@effect/platform-node/NodeContext"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { afterEach, beforeEach, vi } from "vitest"
import type { Agent } from "../../../src/agent/Agent.js"
import * as Agents from "../../../src/agent/Agent.js"
import * as Gateway from "../../../src/gateway/Gateway.js"
import * as EventLog from "../../../src/log/EventLog.js"
import * as Sessions from "../../../src/session/Sessions.js"
import * as ScriptedAgent from "../../../src/testing/ScriptedAgent.js"

export interface Running {
  readonly gateway: Gateway.Gateway["Type"]
  readonly sessions: Sessions.Sessions["Type"]
  readonly log: EventLog.EventLog["Type"]
}

/** A life of the gateway over a log that outlives it. */
export const over = Effect.fnUntraced(function*(
  log: EventLog.EventLog["Type"],
  agents: ReadonlyArray<Agent>,
  options: Partial<Gateway.Options> = {},
  limits: Parameters<typeof Sessions.layerWith>[0] = {}
) {
  const known = Agents.layer(agents)
  const sessions = Sessions.layerWith(limits).pipe(
    Layer.provide([Layer.succeed(EventLog.EventLog, log), known, NodeContext.layer])
  )
  const gateway = Gateway.layer({ version: "0.1.0", port: 0, ...options }).pipe(
    Layer.provideMerge(sessions),
    Layer.provide(known)
  )
  const context = yield* Layer.build(gateway)
  const running: Running = {
    gateway: Context.get(context, Gateway.Gateway),
    sessions: Context.get(context, Sessions.Sessions),
    log
  }
  return running
})

export const start = (
  turn: ScriptedAgent.Options["turn"],
  options: Partial<Gateway.Options> = {},
  limits: Parameters<typeof Sessions.layerWith>[0] = {}
) =>
  Effect.gen(function*() {
    const log = yield* Effect.map(Layer.build(EventLog.layerMemory), Context.get(EventLog.EventLog))
    return yield* over(log, [yield* ScriptedAgent.make({ turn })], options, limits)
  })

/** A connection of its own for each request, and none is kept: a test leaves nothing. */
export const fetchOnce: typeof fetch = (url, init) => {
  const headers = new Headers(init?.headers)
  headers.set("connection", "close")
  return fetch(url, { ...init, headers })
}

export interface Ran {
  readonly events: ReadonlyArray<AGUIEvent>
  readonly types: ReadonlyArray<string>
  readonly error: unknown
  readonly last: AGUIEvent | undefined
}

let messages = 0

/** A client of a thread. What the verifier has to say of a run is its `error`. */
export const client = (
  { gateway }: { readonly gateway: { readonly url: string } },
  options: {
    readonly agent?: string
    readonly threadId?: string
    readonly make?: typeof HttpAgent
    readonly config?: object
  } = {}
) => {
  const Client = options.make ?? HttpAgent
  const agent = new Client({
    url: `${gateway.url}/agui/${options.agent ?? "scripted"}`,
    threadId: options.threadId ?? "a thread",
    fetch: fetchOnce,
    ...options.config
  })
  const run = (
    parameters: Parameters<HttpAgent["runAgent"]>[0] = {},
    seen: (event: AGUIEvent) => void = () => {}
  ): Effect.Effect<Ran> =>
    Effect.promise(async () => {
      const events: Array<AGUIEvent> = []
      let error: unknown
      const onEvent = ({ event }: { readonly event: BaseEvent }) => {
        const told = event as AGUIEvent
        events.push(told)
        seen(told)
      }
      await agent.runAgent(parameters, { onEvent }).catch((failed: unknown) => error = failed)
      return { events, types: events.map(({ type }) => type), error, last: events.at(-1) }
    })
  return {
    agent,
    run,
    say: (text: string, parameters: Parameters<HttpAgent["runAgent"]>[0] = {}, seen?: (event: AGUIEvent) => void) =>
      Effect.suspend(() => {
        agent.addMessage({ id: `said ${++messages}`, role: "user", content: text })
        return run(parameters, seen)
      }),
    /** Answers all that is open with what `answer` gives for each. */
    resume: (
      answer: (interrupt: Interrupt) => Omit<ResumeEntry, "interruptId">,
      parameters: Parameters<HttpAgent["runAgent"]>[0] = {}
    ) =>
      Effect.suspend(() =>
        run({
          ...parameters,
          resume: agent.pendingInterrupts.map((interrupt) => ({ interruptId: interrupt.id, ...answer(interrupt) }))
        })
      )
  }
}

export const texts = (messages: ReadonlyArray<Message>): ReadonlyArray<string> =>
  messages.flatMap((message) => typeof message.content === "string" ? [`${message.role}: ${message.content}`] : [])

/** The official client tells the console of every run that fails. */
export const silent = (): void => {
  beforeEach(() => void vi.spyOn(console, "error").mockImplementation(() => {}))
  afterEach(() => void vi.restoreAllMocks())
}

/** An agent behind a fake host, and what the tests ask of its connection. */
import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Random from "effect/Random"
import * as Redacted from "effect/Redacted"
import { FaultyNetwork } from "holdfast/testing"
import type { AgentConnection, AgentSignal } from "../../../src/agent/Agent.js"
import * as AgentctlAgent from "../../../src/agent/agentctl/AgentctlAgent.js"
import * as Content from "../../../src/domain/Content.js"
import { RunId, SessionId } from "../../../src/domain/Ids.js"
import * as FakeHost from "./FakeHost.js"

export const sessionId = SessionId.make("ses_1")
export const run = (number: number) => RunId.make(`run_${number}`)

type Options = Partial<AgentctlAgent.AgentctlOptions>

export const agentOf = (host: Pick<FakeHost.FakeHost, "url" | "nonce">, options: Options = {}) =>
  Effect.flatMap(
    Layer.build(NodeHttpClient.layer),
    (context) =>
      AgentctlAgent.make("host", { url: host.url, nonce: Redacted.make(host.nonce), ...options }).pipe(
        Effect.provide(context)
      )
  )

export const open = { sessionId, cwd: "/project", resume: Option.none() }

/** A connection over a network that can be told to fail. */
export const connected = Effect.fnUntraced(function*(
  options: Options = {},
  prepare: (host: FakeHost.FakeHost) => void = () => {}
) {
  const host = yield* FakeHost.make()
  prepare(host)
  const network = yield* FaultyNetwork.make({ port: host.port })
  host.tellPort(network.port)
  const agent = yield* agentOf(host, options)
  // dials again at once: how long it waits is tested with the policy
  const connection = yield* Effect.withRandom(agent.connect(open), Random.fixed([0]))
  return { host, network, agent, connection }
})

export const prompt = (connection: AgentConnection, number: number, text = "hello") =>
  connection.prompt(run(number), [Content.text(text)])

/** Takes signals until one fits, that one included. */
export const until = (connection: AgentConnection, fits: (signal: AgentSignal) => boolean) =>
  Effect.gen(function*() {
    const signals: Array<AgentSignal> = []
    while (true) {
      const signal = yield* connection.signals.take
      signals.push(signal)
      if (fits(signal)) return signals
    }
  })

export const untilTurnEnded = (connection: AgentConnection) => until(connection, ({ _tag }) => _tag === "TurnEnded")

type Question = Extract<AgentSignal, { _tag: "Asked" }>

export const question = (connection: AgentConnection) =>
  Effect.map(
    until(connection, ({ _tag }) => _tag === "Asked"),
    (signals) => signals.filter((signal): signal is Question => signal._tag === "Asked")[0]
  ).pipe(Effect.flatMap(Effect.fromNullable), Effect.orDie)

export const events = (signals: ReadonlyArray<AgentSignal>) =>
  signals.flatMap((signal) => signal._tag === "Said" ? [signal.event] : [])

export const texts = (signals: ReadonlyArray<AgentSignal>) =>
  events(signals).flatMap((event) => event.type === "TextChunk" ? [event.text] : [])

/** Waits for what happens on the other side of a socket. */
export const eventually = (condition: () => boolean) =>
  Effect.repeat(Effect.sleep("5 millis"), { until: condition }).pipe(Effect.timeout("20 seconds"), Effect.orDie)

export const otherSession = SessionId.make("ses_2")

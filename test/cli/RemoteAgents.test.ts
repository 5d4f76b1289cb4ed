/**
 * Agents behind a network, as a configuration file names them and with the client that the program gives them.
 */
import * as NodeContext from "@effect/platform-node/NodeContext"
import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import { describe, expect } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import { it, leakFreeFile } from "holdfast/testing/vitest"
import { execFileSync } from "node:child_process"
import * as NodeFs from "node:fs"
import * as Https from "node:https"
import { type AgentConnection, Agents } from "../../src/agent/Agent.js"
import * as AgentSet from "../../src/cli/AgentSet.js"
import * as Config from "../../src/cli/Config.js"
import { Program } from "../../src/cli/Program.js"
import * as Content from "../../src/domain/Content.js"
import { RunId, SessionId } from "../../src/domain/Ids.js"
import * as EventLog from "../../src/log/EventLog.js"
import * as FaultyNetwork from "../../src/testing/FaultyNetwork.js"
import * as FakeHost from "../agent/agentctl/FakeHost.js"
import { message, start, started } from "../agent/agui/server.js"
import { temporary } from "../program.js"

leakFreeFile()

/** Connects to each of the agents of the file. */
const connectAll = (agents: Readonly<Record<string, string>>, data?: string) =>
  Effect.gen(function*() {
    const file = `${yield* temporary}/holdfast.yaml`
    const lines = Object.entries(agents).map(([name, agent]) => `  ${name}: ${agent}\n`)
    NodeFs.writeFileSync(file, `agents:\n${lines.join("")}`)
    const loaded = yield* Config.load(Option.some(file), {})
    const set = AgentSet.layer(loaded, Option.fromNullable(data))
    const { get } = Context.get(yield* Layer.build(Layer.provide(set, EventLog.layerMemory)), Agents)
    return yield* Effect.forEach(Object.keys(agents), (name) =>
      Effect.flatMap(get(name), ({ connect }) =>
        connect({ sessionId: SessionId.make(`ses_${name}`), cwd: "/", resume: Option.none() })), {
      concurrency: "unbounded"
    })
  }).pipe(
    Effect.provideService(Program, { version: "1.2.3", command: "node", args: ["main.js"] }),
    // as in src/cli/Cli.ts
    Effect.provide(Layer.merge(NodeContext.layer, NodeHttpClient.layer))
  )

const connect = (agent: string) =>
  Effect.flatMap(connectAll({ remote: agent }), ([connection]) => Effect.orDie(Effect.fromNullable(connection)))

const turn = ({ prompt, signals }: AgentConnection) => {
  const ended: Effect.Effect<unknown, unknown> = Effect.flatMap(
    signals.take,
    (signal) => signal._tag === "TurnEnded" ? Effect.succeed(signal.result) : ended
  )
  return Effect.zipRight(prompt(RunId.make("run_1"), [Content.text("hi")]), ended)
}

describe("agents behind one host", () => {
  it.scopedLive("share the token that it gives for its nonce, as it takes that once", () =>
    Effect.gen(function*() {
      const host = yield* FakeHost.make()
      const data = yield* temporary
      const agent = `{ kind: agentctl, url: "${host.url}", nonce: ${host.nonce} }`
      expect(yield* connectAll({ one: agent, two: agent }, data)).toHaveLength(2)
      expect(NodeFs.readdirSync(`${data}/tokens`)).toStrictEqual([`http-127.0.0.1-${host.port}`])
    }))
})

// `idle` is not set: ten minutes
describe("an AG-UI agent whose answer is cut off in the middle ends its run as Lost, and at once", () => {
  const half = (run: Parameters<NonNullable<Parameters<typeof start>[0]["run"]>>[0]) => {
    run.send(started(run.input), ...message(run.input.runId, "m", "the beginning"))
    run.raw("data: {\"type\":\"TEXT_MES")
  }

  it.scopedLive("by a reset", () =>
    Effect.gen(function*() {
      const server = yield* start({
        run: (run) => {
          half(run)
          setTimeout(run.cut, 20)
        }
      })
      const result = yield* turn(yield* connect(`{ kind: agui, url: "${server.url}" }`))
      expect(result).toMatchObject({ _tag: "Failed", error: { _tag: "AgentLost" } })
    }))

  it.scopedLive("by an end of the connection that is no end of the answer", () =>
    Effect.gen(function*() {
      const server = yield* start({
        run: (run) => {
          half(run)
          setTimeout(() => server.sockets.forEach((socket) => socket.end()), 20)
        }
      })
      const result = yield* turn(yield* connect(`{ kind: agui, url: "${server.url}" }`))
      expect(result).toMatchObject({ _tag: "Failed", error: { _tag: "AgentLost" } })
    }))

  it.scopedLive("by the network between", () =>
    Effect.gen(function*() {
      const server = yield* start({ run: half })
      const network = yield* FaultyNetwork.make({ port: server.port })
      yield* network.cutAfter(400)
      const result = yield* turn(yield* connect(`{ kind: agui, url: "${network.url}/" }`))
      expect(result).toMatchObject({ _tag: "Failed", error: { _tag: "AgentLost" } })
    }))
})

/** A server with a certificate that nobody has signed but itself. */
const selfSigned = Effect.gen(function*() {
  const folder = yield* temporary
  execFileSync("openssl", [
    ..."req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost".split(" "),
    ...["-keyout", `${folder}/key`, "-out", `${folder}/certificate`]
  ], { stdio: "ignore" })
  const options = { key: NodeFs.readFileSync(`${folder}/key`), cert: NodeFs.readFileSync(`${folder}/certificate`) }
  const heard: Array<string | undefined> = []
  const server = yield* Effect.acquireRelease(
    Effect.async<Https.Server>((resume) => {
      const server = Https.createServer(options, (request, response) => {
        heard.push(request.url)
        response.end("{}")
      })
      server.listen(0, "127.0.0.1", () => resume(Effect.succeed(server)))
    }),
    (server) => Effect.async<void>((resume) => void server.close(() => resume(Effect.void)))
  )
  const address = server.address()
  return { url: `https://127.0.0.1:${typeof address === "object" ? address?.port : ""}`, heard }
})

const openssl = (() => {
  try {
    return execFileSync("openssl", ["version"], { stdio: "pipe" }).length > 0
  } catch {
    return false
  }
})()

describe.skipIf(!openssl)(
  "a host whose certificate is not to be trusted is not spoken to, and the reason is told",
  () => {
    it.scopedLive("by an AG-UI agent", () =>
      Effect.gen(function*() {
        const { heard, url } = yield* selfSigned
        const result = yield* turn(yield* connect(`{ kind: agui, url: "${url}/", events: "${url}/events" }`))
        expect(result).toMatchObject({
          _tag: "Failed",
          error: { _tag: "AgentUnreachable", message: expect.stringContaining("DEPTH_ZERO_SELF_SIGNED_CERT") }
        })
        expect(heard).toStrictEqual([])
      }))

    it.scopedLive("by an agent behind an agentctl host", () =>
      Effect.gen(function*() {
        const { heard, url } = yield* selfSigned
        const error = yield* Effect.flip(connect(`{ kind: agentctl, url: "${url}", nonce: n0nce }`))
        expect(error).toMatchObject({
          _tag: "AgentLost",
          message: expect.stringMatching(/cannot be reached: .*DEPTH_ZERO_SELF_SIGNED_CERT/)
        })
        expect(heard).toStrictEqual([])
      }))
  }
)

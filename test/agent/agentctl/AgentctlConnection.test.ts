import { assert, describe, expect } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Scope from "effect/Scope"
import { FaultyNetwork } from "holdfast/testing"
import { it, leakFreeFile } from "holdfast/testing/vitest"
import * as Content from "../../../src/domain/Content.js"
import * as FakeHost from "./FakeHost.js"
import {
  agentOf,
  connected,
  events,
  eventually,
  open,
  prompt,
  question,
  run,
  texts,
  until,
  untilTurnEnded
} from "./fixture.js"

leakFreeFile()

const chunks = (from: number, to: number) => Array.from({ length: to - from }, (_, index) => String(from + index))
const isGap = (event: { readonly type: string; readonly kind?: string | undefined }) =>
  event.type === "Warning" && event.kind === "gap"

describe("a turn", () => {
  it.scopedLive("is what the host says between a prompt and its end, in order", () =>
    Effect.gen(function*() {
      const { connection, host } = yield* connected()
      host.onPrompt = ({ generation }) => {
        for (const text of ["a", "b", "c"]) host.chunk(text)
        host.complete(generation)
      }
      yield* prompt(connection, 1)
      const signals = yield* untilTurnEnded(connection)
      expect(texts(signals)).toStrictEqual(["a", "b", "c"])
      expect(signals.at(-1)).toMatchObject({ run: run(1), result: { _tag: "Stopped", stopReason: "end_turn" } })
      expect(connection).toMatchObject({ agentSessionId: "sess-1", how: "opened", name: "fake", version: "1" })
    }))

  it.scopedLive("kandev: a late completion ended the next turn; here an end is claimed once, by its own generation", () =>
    Effect.gen(function*() {
      const { connection, host } = yield* connected()
      host.faults.duplicate = true
      yield* prompt(connection, 1)
      yield* untilTurnEnded(connection)
      host.onPrompt = ({ generation }) => {
        // of the first turn again, twice, and of one that never was
        host.complete(1)
        host.complete(77)
        host.event({ type: "error", prompt_generation: 1, error: "late" })
        host.chunk("of the second")
        host.complete(generation)
      }
      yield* prompt(connection, 2)
      const signals = yield* untilTurnEnded(connection)
      expect(texts(signals)).toStrictEqual(["of the second", "of the second"])
      expect(signals.filter(({ _tag }) => _tag === "TurnEnded")).toMatchObject([{
        run: run(2),
        result: { _tag: "Stopped" }
      }])
    }))

  it.scopedLive("that fails says why; an agent that ends takes the connection with it, with exit code and stderr", () =>
    Effect.gen(function*() {
      const { connection, host } = yield* connected()
      host.onPrompt = ({ generation }) =>
        host.event({ type: "error", prompt_generation: generation, error: "no quota" })
      yield* prompt(connection, 1)
      expect((yield* untilTurnEnded(connection)).at(-1)).toMatchObject({
        result: { _tag: "Failed", error: { _tag: "AgentRequestFailed", message: "no quota" } }
      })
      // the order of 0.95.1 under load: the turn's error first, and it says nothing
      host.onPrompt = ({ generation }) => {
        host.event({ type: "error", prompt_generation: generation, error: "Internal error" })
        host.event({ type: "error", error: "exited with code 3", data: { exit_code: 3, recent_stderr: ["boom"] } })
      }
      yield* prompt(connection, 2)
      const error = yield* Effect.flip(untilTurnEnded(connection))
      expect(error).toMatchObject({ _tag: "AgentDied", exitCode: 3, stderr: "boom" })
    }))

  it.scopedLive("that is cancelled ends so; a cancel that is not acknowledged ends the connection", () =>
    Effect.gen(function*() {
      const { connection, host } = yield* connected()
      host.onPrompt = () => host.chunk("I work")
      yield* prompt(connection, 1)
      yield* until(connection, ({ _tag }) => _tag === "Said")
      yield* connection.cancel
      expect((yield* untilTurnEnded(connection)).at(-1)).toMatchObject({ result: { stopReason: "cancelled" } })
      const before = host.asked.length
      yield* connection.cancel
      expect(host.asked.length).toBe(before)
      host.faults.neverAcknowledge = true
      yield* prompt(connection, 2)
      yield* connection.cancel
      expect(yield* Effect.flip(untilTurnEnded(connection))).toMatchObject({
        _tag: "AgentRequestFailed",
        method: "agent.cancel"
      })
    }))
})

describe("a cancel that its host takes late", () => {
  it.scopedLive("stops no turn that was prompted after it: that one waits", () =>
    Effect.gen(function*() {
      const { connection, host } = yield* connected()
      host.onPrompt = () => {}
      yield* prompt(connection, 1)
      host.faults.hold = new Set(["agent.cancel"])
      const cancelling = yield* Effect.fork(connection.cancel)
      yield* eventually(() => host.asked.some(({ action }) => action === "agent.cancel"))
      // the turn was at its end anyway
      host.complete(1)
      yield* untilTurnEnded(connection)
      const prompting = yield* Effect.fork(prompt(connection, 2))
      // whatever was sent before is there now
      yield* connection.stderr
      host.letGo()
      yield* Fiber.join(cancelling)
      yield* Fiber.join(prompting)
      host.complete(2)
      expect((yield* untilTurnEnded(connection)).at(-1)).toMatchObject({
        run: run(2),
        result: { _tag: "Stopped", stopReason: "end_turn" }
      })
    }))
})

describe("a host that does not answer any more", () => {
  it.scopedLive("SM1 keeps nobody who leaves it for longer than it may", () =>
    Effect.gen(function*() {
      const host = yield* FakeHost.make()
      const network = yield* FaultyNetwork.make({ port: host.port })
      host.tellPort(network.port)
      const agent = yield* agentOf({ ...host, url: network.url }, { leaveTimeout: Duration.millis(200) })
      const session = yield* Scope.make()
      const scope = yield* Scope.make()
      yield* Scope.extend(agent.connect({ ...open, keep: session }), scope)
      yield* network.stall
      yield* Effect.zipRight(Scope.close(scope, Exit.void), Scope.close(session, Exit.void)).pipe(
        // ten seconds are a gateway's grace
        Effect.timeoutFail({ duration: "9 seconds", onTimeout: () => "it is still waited for" }),
        Logger.withMinimumLogLevel(LogLevel.None)
      )
    }))
})

describe("a connection that is cut", () => {
  it.scopedLive(
    "20 times in a burst: what the host delivers arrives once and in order, and the gaps are told",
    () =>
      Effect.gen(function*() {
        const { connection, host, network } = yield* connected()
        let sent = 0
        host.onPrompt = () => {}
        yield* prompt(connection, 1)
        const reading = yield* Effect.fork(untilTurnEnded(connection))
        for (let cut = 0; cut < 20; cut++) {
          yield* eventually(() => host.readers() === 1)
          // in the middle of a frame
          yield* network.cutAfter(2000 + cut * 137)
          while (host.readers() === 1) {
            for (let batch = 0; batch < 20; batch++) host.chunk(String(sent++))
            yield* Effect.sleep("1 millis")
          }
        }
        yield* eventually(() => host.readers() === 1)
        const last = sent
        for (const text of chunks(last, last + 500)) host.chunk(text)
        host.complete(1)
        const signals = yield* Fiber.join(reading)
        const found = texts(signals).map(Number)
        expect(found.every((number, index) => index === 0 || number > (found[index - 1] ?? 0))).toBe(true)
        expect(found.slice(-500)).toStrictEqual(chunks(last, last + 500).map(Number))
        expect(yield* network.connections).toBeGreaterThan(20)
        expect(events(signals).filter(isGap).length).toBeGreaterThanOrEqual(1)
      }),
    60_000
  )

  it.scopedLive("kandev: a permission asked before the cut was lost; here it is listed again, asked once, and answered", () =>
    Effect.gen(function*() {
      const { connection, host, network } = yield* connected()
      host.onPrompt = () => host.permission("p1")
      yield* prompt(connection, 1)
      const first = yield* question(connection)
      expect(first.request).toMatchObject({ kind: "permission", message: "Run ls", toolCallId: "tc1" })
      // one is asked while nobody is connected, and its announcement is lost
      yield* network.cut
      host.permissions.set("p2", {
        request_id: "p2",
        pending_id: "pending-p2",
        title: "Run rm",
        options: [{ option_id: "allow", name: "Allow", kind: "allow_once" }]
      })
      const second = yield* question(connection)
      expect(second.request.message).toBe("Run rm")
      yield* first.reply(Option.some({ action: "accept", content: { optionId: "allow" } }))
      yield* second.reply(Option.none())
      yield* eventually(() => host.permissions.size === 0)
      const answers = host.asked.filter(({ action }) => /resolve|permissions.cancel/.test(action))
      expect(answers).toMatchObject([
        { action: "agent.permissions.resolve", payload: { request_id: "p1", option_id: "allow" } },
        { action: "agent.permissions.cancel", payload: { request_id: "p2" } }
      ])
    }))

  it.scopedLive("asks no permission again whose answer is still on its way, though the host lists it", () =>
    Effect.gen(function*() {
      const { connection, host, network } = yield* connected()
      host.onPrompt = () => host.permission("p1")
      yield* prompt(connection, 1)
      const asked = yield* question(connection)
      host.faults.hold = new Set(["agent.permissions.resolve"])
      yield* asked.reply(Option.some({ action: "accept", content: { optionId: "allow" } }))
      const times = (action: string) => host.asked.filter((each) => each.action === action).length
      yield* eventually(() => times("agent.permissions.resolve") === 1)
      yield* network.cut
      yield* eventually(() => times("agent.permissions.list") === 1 && times("agent.permissions.resolve") === 2)
      yield* connection.stderr
      host.letGo()
      yield* eventually(() => host.permissions.size === 0)
      host.complete(1)
      expect((yield* untilTurnEnded(connection)).map(({ _tag }) => _tag)).not.toContain("Asked")
    }))

  it.scopedLive("withdraws what the host does not wait for any more", () =>
    Effect.gen(function*() {
      const { connection, host, network } = yield* connected()
      host.onPrompt = () => host.permission("p1")
      yield* prompt(connection, 1)
      const asked = yield* question(connection)
      host.permissions.clear()
      yield* network.cut
      expect(yield* asked.elsewhere).toMatchObject({ _tag: "Withdrawn" })
    }))

  it.scopedLive("SM9 kandev: a request outlived its connection; here it fails at once, and no answer of the next one is its own", () =>
    Effect.gen(function*() {
      const { connection, host, network } = yield* connected()
      host.faults.mute = new Set(["agent.prompt"])
      const prompting = yield* Effect.fork(Effect.flip(prompt(connection, 1)))
      yield* eventually(() => host.asked.some(({ action }) => action === "agent.prompt"))
      yield* network.cut
      expect(yield* Fiber.join(prompting)).toMatchObject({ _tag: "AgentLost" })
      // nobody can tell whether the host has it: its turn is cancelled before the next one begins
      host.faults.mute = new Set()
      yield* prompt(connection, 2)
      const signals = yield* untilTurnEnded(connection)
      expect(signals.at(-1)).toMatchObject({ run: run(2), result: { stopReason: "end_turn" } })
      const turns = host.asked.map(({ action }) => action).filter((action) => /prompt|cancel$/.test(action))
      expect(turns).toStrictEqual(["agent.prompt", "agent.cancel", "agent.prompt"])
    }))

  it.scopedLive("SM4 kandev: an old reader cleared its successor; here requests go on over the new connection while the old one ends", () =>
    Effect.gen(function*() {
      const { connection, host, network } = yield* connected()
      for (let cuts = 0; cuts < 5; cuts++) {
        yield* network.cut
        expect(yield* connection.stderr).toStrictEqual(["a line"])
      }
      expect(host.readers()).toBe(1)
    }))

  it.scopedLive("SM6 kandev: a normal close was taken for nothing; here the stream is dialed again", () =>
    Effect.gen(function*() {
      // no deadline helps
      const { connection, host, network } = yield* connected({ idle: Duration.hours(1) })
      const before = yield* network.connections
      host.onPrompt = ({ generation }) => {
        host.closeReaders(1000)
        setTimeout(() => host.complete(generation), 5)
      }
      yield* prompt(connection, 1)
      expect((yield* untilTurnEnded(connection)).at(-1)).toMatchObject({ run: run(1), result: { _tag: "Stopped" } })
      expect(yield* network.connections).toBeGreaterThan(before)
    }))

  it.scopedLive("SM7 or half open: a host that vanished without a word is found by the deadline, and the turn goes on over the next one", () =>
    Effect.gen(function*() {
      const { connection, host, network } = yield* connected({ idle: Duration.seconds(1) })
      host.onPrompt = () => host.chunk("I work")
      yield* prompt(connection, 1)
      yield* until(connection, ({ _tag }) => _tag === "Said")
      yield* network.stall
      // the sockets are up; no data comes, and no pong
      expect(yield* Effect.flip(connection.reset)).toMatchObject({
        _tag: "AgentLost",
        message: expect.stringContaining("the connection to the agent host was cut")
      })
      yield* network.resume
      yield* until(connection, (signal) => JSON.stringify(signal).includes("the agent host was cut within a turn"))
      host.complete(1)
      expect((yield* untilTurnEnded(connection)).at(-1)).toMatchObject({ run: run(1), result: { _tag: "Stopped" } })
    }))

  it.scopedLive("in a turn of which nothing more comes is given up after the silence, as Lost", () =>
    Effect.gen(function*() {
      const { connection, host, network } = yield* connected({ turnSilence: Duration.millis(100) })
      host.onPrompt = () => host.chunk("I work")
      yield* prompt(connection, 1)
      yield* until(connection, ({ _tag }) => _tag === "Said")
      // the end of the turn was among what was lost
      yield* network.cut
      const signals = yield* untilTurnEnded(connection)
      expect(events(signals).filter(isGap)).toHaveLength(1)
      expect(signals.at(-1)).toMatchObject({ run: run(1), result: { _tag: "Failed", error: { _tag: "AgentLost" } } })
    }))

  it.scopedLive("SM8 kandev: a handler on the read loop starved the responses; here one that waits starves none", () =>
    Effect.gen(function*() {
      const { connection, host } = yield* connected()
      // nobody takes the signals: they wait, up to the bound
      for (const text of chunks(0, 1050)) host.chunk(text)
      expect(yield* connection.stderr).toStrictEqual(["a line"])
    }))

  it.scopedLive("by nobody, but read by nobody either: the host keeps what the log does not take", () =>
    Effect.gen(function*() {
      const { connection, host } = yield* connected()
      host.onPrompt = () => {}
      yield* prompt(connection, 1)
      const text = "x".repeat(10_000)
      for (let sent = 0; sent < 4000; sent++) host.chunk(text)
      yield* Effect.sleep("200 millis")
      // 40 MB were said; what is not taken stays on the other side
      expect(host.unsent()).toBeGreaterThan(8_000_000)
      host.complete(1)
      expect(texts(yield* untilTurnEnded(connection))).toHaveLength(4000)
    }))
})

describe("a host that is gone for good", () => {
  it.scopedLive("ends the connection as Lost: its port belongs to another instance", () =>
    Effect.gen(function*() {
      const { connection, host, network } = yield* connected()
      host.faults.recycled = true
      yield* network.cut
      const error = yield* Effect.flip(untilTurnEnded(connection))
      expect(error).toMatchObject({ _tag: "AgentLost" })
      expect(error.message).toContain("no longer exists at this port")
    }))

  it.scopedLive("ends it after the outage that is allowed, and not before", () =>
    Effect.gen(function*() {
      const { connection, host } = yield* connected({ outage: Duration.millis(300) })
      yield* host.kill
      expect(yield* Effect.flip(untilTurnEnded(connection))).toMatchObject({ _tag: "AgentLost" })
      // a command fails with the reason, and waits for nothing
      expect(yield* Effect.flip(prompt(connection, 1))).toMatchObject({ _tag: "AgentLost" })
    }))
})

describe("questions of the host's MCP tool", () => {
  const payload = {
    session_id: "ses_1",
    context: "a choice",
    questions: [{
      id: "q1",
      title: "DB",
      prompt: "Which?",
      options: [{ option_id: "q1_opt1", label: "PG" }, { option_id: "q1_opt2", label: "SQLite", description: "a file" }]
    }]
  }

  it.scopedLive("that come twice under one id are one question", () =>
    Effect.gen(function*() {
      const { connection, host } = yield* connected()
      void host.request("m1", "mcp.ask_user_question", payload)
      const answered = host.request("m1", "mcp.ask_user_question", payload)
      const asked = yield* question(connection)
      host.event({ type: "error", error: "that was all" })
      const more = yield* until(connection, (signal) => JSON.stringify(signal).includes("that was all"))
      expect(more.map(({ _tag }) => _tag)).not.toContain("Asked")
      yield* asked.reply(Option.some({ action: "accept", content: { q1: "q1_opt1" } }))
      expect(yield* Effect.promise(() => answered)).toMatchObject({ id: "m1", type: "response" })
      // and when it is over, the id may come again
      void host.request("m1", "mcp.ask_user_question", payload)
      yield* question(connection)
    }))

  it.scopedLive("become a form, and the answer goes back on the same id", () =>
    Effect.gen(function*() {
      const { connection, host } = yield* connected()
      const answered = host.request("m1", "mcp.ask_user_question", payload)
      const asked = yield* question(connection)
      assert(asked.request.kind === "form")
      expect(asked.request.schema.properties["q1"]).toMatchObject({
        oneOf: [{ const: "q1_opt1", title: "PG" }, { const: "q1_opt2" }]
      })
      yield* asked.reply(Option.some({ action: "accept", content: { q1: "q1_opt2", q1_text: "small" } }))
      expect(yield* Effect.promise(() => answered)).toMatchObject({
        id: "m1",
        type: "response",
        payload: { answers: [{ question_id: "q1", selected_options: ["q1_opt2"], custom_text: "small" }] }
      })
    }))

  it.scopedLive("are withdrawn when the agent does not wait any more; what is no question is refused, never met with silence", () =>
    Effect.gen(function*() {
      const { connection, host } = yield* connected()
      void host.request("m1", "mcp.ask_user_question", payload)
      const asked = yield* question(connection)
      expect(yield* Effect.promise(() => host.request("m2", "mcp.clarification_timeout", {}))).toMatchObject({
        type: "response"
      })
      expect(yield* asked.elsewhere).toMatchObject({ _tag: "Withdrawn" })
      const refused = yield* Effect.promise(() => host.request("m3", "mcp.create_task", {}))
      expect(refused).toMatchObject({ id: "m3", type: "error", payload: { code: "UNKNOWN_ACTION" } })
      const invalid = yield* Effect.promise(() => host.request("m4", "mcp.ask_user_question", { questions: [] }))
      expect(invalid).toMatchObject({ id: "m4", type: "error", payload: { code: "VALIDATION_ERROR" } })
    }))
})

describe("the session's instance", () => {
  it.scopedLive("is made for it and gone with it; one that a killed gateway left is ended first", () =>
    Effect.gen(function*() {
      const { agent, host } = yield* connected()
      expect([...host.instances.values()]).toMatchObject([{
        workspace_path: "/project",
        session_id: "ses_1",
        auto_approve_permissions: false
      }])
      yield* Effect.scoped(Effect.gen(function*() {
        // the first connection is still there, as if its gateway had been killed
        const { how } = yield* agent.connect({ ...open, resume: Option.some("sess-1") })
        expect(how).toBe("resumed")
        expect(host.instances.size).toBe(1)
      }))
      expect(host.instances.size).toBe(0)
    }))

  it.scopedLive("a restore that fails closes what was opened; a session that the agent has forgotten begins anew", () =>
    Effect.gen(function*() {
      const { agent, host } = yield* connected()
      host.faults.load = "failed to load session: {\"code\":-32603,\"message\":\"disk\"}"
      const resume = Option.some("sess-1")
      const error = yield* Effect.flip(Effect.scoped(agent.connect({ ...open, resume })))
      expect(error).toMatchObject({ _tag: "AgentRequestFailed", method: "agent.session.load" })
      expect(host.instances.size).toBe(0)
      host.faults.load = "failed to load session: {\"code\":-32002,\"message\":\"Resource not found\"}"
      expect((yield* agent.connect({ ...open, resume })).how).toBe("opened")
    }))
})

describe("the commands beyond a turn", () => {
  it.scopedLive("set the mode, an option and the model, as the host tells them back, and let the agent begin anew", () =>
    Effect.gen(function*() {
      const { connection, host } = yield* connected({ mcpServers: [{ name: "files", command: "mcp-files" }] })
      yield* connection.setMode("plan")
      yield* connection.setConfigOption("speed", true)
      yield* connection.setConfigOption("model", "large")
      yield* connection.setModel("small")
      expect(yield* connection.reset).toBe("sess-2")
      expect(host.asked.slice(-5)).toMatchObject([
        { action: "agent.session.set_mode", payload: { session_id: "sess-1", mode_id: "plan" } },
        { action: "agent.session.set_config_option", payload: { config_id: "speed", value: "true" } },
        { action: "agent.session.set_model", payload: { model_id: "large" } },
        { action: "agent.session.set_model", payload: { model_id: "small" } },
        { action: "agent.session.reset", payload: { mcp_servers: [{ name: "files" }] } }
      ])
      const told = events(
        yield* until(connection, (signal) => JSON.stringify(signal).includes(`"currentValue":"small"`))
      )
      const speed = { id: "speed", type: "select", currentValue: "true" }
      const model = {
        id: "model",
        category: "model",
        options: [{ value: "small", name: "Small" }, { value: "large", name: "Large" }]
      }
      expect(told).toMatchObject([
        { type: "ModeChanged", modeId: "plan" },
        { type: "ConfigChanged", options: [model, speed] },
        { type: "ConfigChanged", options: [{ ...model, currentValue: "large" }, speed] },
        { type: "ConfigChanged", options: [{ ...model, currentValue: "small" }, speed] }
      ])
    }))

  it.scopedLive("an option for the model that the agent has itself is the only one", () =>
    Effect.gen(function*() {
      const { connection, host } = yield* connected()
      const own = { id: "llm", category: "model", type: "select", current_value: "small" }
      host.event({ type: "session_models", session_models: [{ model_id: "x" }], config_options: [own] })
      const [told] = events(yield* until(connection, ({ _tag }) => _tag === "Said"))
      expect(told).toStrictEqual({
        type: "ConfigChanged",
        options: [{ id: "llm", category: "model", type: "select", currentValue: "small" }]
      })
      yield* connection.setConfigOption("llm", "large")
      expect(host.asked.at(-1)).toMatchObject({ action: "agent.session.set_config_option" })
    }))
})

describe("MCP servers", () => {
  it.scopedLive("go to the agent with its session, in the host's form and with their secrets; one that is left out is told", () =>
    Effect.gen(function*() {
      const { agent, connection, host } = yield* connected({
        mcpServers: [
          { name: "files", command: "mcp-files", args: ["/srv"], env: { KEY: Redacted.make("secret") } },
          { type: "http", name: "search", url: "https://search.example/mcp", headers: { a: Redacted.make("b") } }
        ]
      })
      const mcp_servers = [
        { name: "files", type: "stdio", command: "mcp-files", args: ["/srv"], env: { KEY: "secret" } },
        { name: "search", type: "http", url: "https://search.example/mcp", headers: { a: "b" } }
      ]
      expect(host.asked.find(({ action }) => action === "agent.session.new")?.payload).toMatchObject({ mcp_servers })
      yield* agent.connect({ ...open, resume: Option.some("sess-1") })
      expect(host.asked.find(({ action }) => action === "agent.session.load")?.payload).toMatchObject({ mcp_servers })
      const report = { kind: "filtered", source: "kandev", reason_code: "duplicate_name", server_name: "kandev" }
      host.event({ type: "mcp_attachment", mcp_attachment: report })
      host.event({
        type: "mcp_attachment",
        mcp_attachment: { ...report, source: "profile", server_name: "search", reason_code: "unsupported_transport" }
      })
      const [told] = events(yield* until(connection, ({ _tag }) => _tag === "Said"))
      expect(told).toMatchObject({
        type: "Warning",
        message: "the agent is without its MCP server search: unsupported_transport"
      })
    }))
})

describe("a message that steers", () => {
  const steered = Effect.fnUntraced(function*() {
    const all = yield* connected({}, (host) => {
      host.supports.add("prompt_queueing")
      host.onPrompt = () => {}
    })
    const { connection } = all
    yield* prompt(connection, 1)
    const steer = (text: string) =>
      connection.steer?.(run(1), [Content.text(text)]) ?? Effect.dieMessage("it takes none")
    return { ...all, steer }
  })

  it.scopedLive("is offered by agents only that take it", () =>
    Effect.gen(function*() {
      const { connection } = yield* connected()
      expect(connection.steer).toBeUndefined()
    }))

  it.scopedLive("goes into the turn, which ends once, under the number that the host gives it then", () =>
    Effect.gen(function*() {
      const { connection, host, steer } = yield* steered()
      expect(yield* steer("and be quick")).toBe(true)
      expect(host.asked.at(-1)).toMatchObject({
        action: "agent.prompt",
        payload: { text: "and be quick", prompt_generation: 2, steer: true }
      })
      host.complete(1)
      host.chunk("quick, then")
      host.complete(2)
      const signals = yield* untilTurnEnded(connection)
      expect(texts(signals)).toStrictEqual(["quick, then"])
      expect(signals.at(-1)).toMatchObject({ run: run(1), result: { _tag: "Stopped" } })
      expect(yield* steer("too late")).toBe(false)
    }))

  it.scopedLive("that is refused leaves the turn as it was; an end that it hid is told, and it was too late", () =>
    Effect.gen(function*() {
      const { connection, host, steer } = yield* steered()
      host.faults.refuseSteer = true
      expect(yield* Effect.flip(steer("no"))).toMatchObject({ _tag: "AgentRequestFailed", message: "no turn to steer" })
      host.faults.mute = new Set(["agent.prompt"])
      const late = yield* Effect.fork(steer("no"))
      yield* eventually(() => host.asked.filter(({ action }) => action === "agent.prompt").length === 3)
      host.complete(1, "max_tokens")
      host.raw(JSON.stringify({
        id: host.lastId(),
        type: "response",
        action: "agent.prompt",
        payload: { success: false, error: "no turn to steer" }
      }))
      // the response is found while it reads, perhaps before the end: then it is refused, and the end is the turn's own
      const outcome = yield* Effect.exit(Fiber.join(late))
      expect(Exit.isFailure(outcome) || outcome.value === false).toBe(true)
      expect((yield* untilTurnEnded(connection)).at(-1)).toMatchObject({
        run: run(1),
        result: { _tag: "Stopped", stopReason: "max_tokens" }
      })
    }))

  it.scopedLive("of which nobody can tell whether it came: the turn ends under either number, once", () =>
    Effect.gen(function*() {
      const { connection, host, network, steer } = yield* steered()
      host.faults.mute = new Set(["agent.prompt"])
      const lost = yield* Effect.fork(Effect.flip(steer("are you there?")))
      yield* eventually(() => host.asked.filter(({ action }) => action === "agent.prompt").length === 2)
      yield* network.cut
      expect(yield* Fiber.join(lost)).toMatchObject({ _tag: "AgentLost" })
      yield* eventually(() => host.readers() === 1)
      host.complete(1)
      host.complete(2)
      host.chunk("after")
      const signals = yield* until(connection, (signal) => JSON.stringify(signal).includes("after"))
      expect(signals.filter(({ _tag }) => _tag === "TurnEnded")).toHaveLength(1)
    }))
})

import { afterEach, assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { leakFreeFile } from "holdfast/testing/vitest"
import * as AcpTerminals from "../../../src/agent/acp/AcpTerminals.js"
import type { AgentSignal } from "../../../src/agent/Agent.js"
import * as Environment from "../../../src/agent/process/Environment.js"
import { none } from "../../../src/agent/process/ProcessLedger.js"
import type { AgentEvent } from "../../../src/domain/AgentEvent.js"
import { connect, events, eventually, folder, isAlive, reports, say, turn, until, watchChildren } from "../support.js"

leakFreeFile({ grace: "5 seconds" })

const calls = (...calls: ReadonlyArray<readonly [method: string, params: object]>) =>
  `calls ${JSON.stringify(calls.map(([method, params]) => [`terminal/${method}`, params]))}`

describe("AcpTerminals", () => {
  afterEach(watchChildren())

  it.scopedLive("a command's output and end come back to the agent, and become events", () =>
    Effect.gen(function*() {
      const cwd = yield* folder
      const connection = yield* connect({ cwd })
      const signals = yield* turn(
        connection,
        calls(
          ["create", {
            command: "sh",
            args: ["-c", "echo $GREETING; echo oops >&2; pwd; exit 3"],
            env: [{ name: "GREETING", value: "grüße" }]
          }],
          ["wait_for_exit", {}],
          ["output", {}],
          ["release", {}],
          ["output", {}]
        )
      )
      const output = `grüße\noops\n${cwd}\n`
      const [created, exited, put, released, gone] = reports(signals)
      const { terminalId } = (created as { result: { terminalId: string } }).result
      assert.deepStrictEqual(exited, { result: { exitCode: 3, signal: null } })
      assert.deepStrictEqual(put, { result: { output, truncated: false, exitStatus: { exitCode: 3, signal: null } } })
      assert.deepStrictEqual(released, { result: {} })
      assert.deepNestedInclude(gone, { "error.code": -32002 })

      const told = events(signals).filter((event) => event.type === "ProcessStatus" || event.type === "ProcessOutput")
      assert.strictEqual(told.map((event) => event.type === "ProcessOutput" ? event.data : "").join(""), output)
      assert.deepInclude(told[0], { processId: terminalId, status: "running" })
      assert.deepInclude(told.at(-1), { processId: terminalId, status: "exited", exitCode: 3, signal: null })
    }))

  it.scopedLive("output over the limit is cut from its beginning, where a character begins", () =>
    Effect.gen(function*() {
      const connection = yield* connect()
      const [, , put] = reports(
        yield* turn(
          connection,
          calls(["create", { command: "printf ääää", outputByteLimit: 5 }], ["wait_for_exit", {}], ["output", {}])
        )
      )
      assert.deepNestedInclude(put, { "result.output": "ää", "result.truncated": true })
    }))

  const open = (command: string, room: Effect.Effect<void> = Effect.void) =>
    Effect.gen(function*() {
      const grace = { stdin: Duration.zero, term: Duration.seconds(20), kill: Duration.seconds(20) }
      const said: Array<AgentEvent> = []
      const say = (event: AgentEvent) => void said.push(event)
      const options = { cwd: "/", env: Environment.make({}), ledger: none, grace, say, room, limit: 1000 }
      const terminals = yield* AcpTerminals.make(options)
      const created = yield* terminals.create({ sessionId: "s1", command, outputByteLimit: 1e15 })
      return { terminals, named: { sessionId: "s1", ...created }, said }
    })

  it.scopedLive("no more of an output is kept than Holdfast allows, whatever limit the agent names", () =>
    Effect.gen(function*() {
      const { named, terminals } = yield* open("head -c 100000 /dev/zero | tr '\\0' x")
      yield* terminals.waitForExit(named)
      assert.deepInclude(yield* terminals.output(named), { output: "x".repeat(1000), truncated: true })
    }))

  it.scopedLive("a command's end is told, and whoever waits for it, when it is released, though nobody takes its output", () =>
    Effect.gen(function*() {
      const { named, said, terminals } = yield* open("echo up; exec sleep 1000", Effect.async(() => {}))
      yield* Effect.repeat(Effect.delay(terminals.output(named), "5 millis"), { until: ({ output }) => output !== "" })
      const waiting = yield* Effect.fork(terminals.waitForExit(named))
      yield* Effect.yieldNow()
      yield* terminals.release(named)
      assert.deepStrictEqual(yield* Fiber.join(waiting), { exitCode: null, signal: null })
      assert.deepInclude(said.at(-1), { type: "ProcessStatus", status: "exited", exitCode: null, signal: null })
    }))

  it.scopedLive("a kill ends the whole group and keeps the output; a command that is not there says so as a shell does", () =>
    Effect.gen(function*() {
      const connection = yield* connect()
      const [, killed, exited, put] = reports(
        yield* turn(
          connection,
          calls(["create", { command: "echo started; sleep 1000 & sleep 1000" }], ["kill", {}], ["wait_for_exit", {}], [
            "output",
            {}
          ])
        )
      )
      assert.deepStrictEqual([killed, exited], [{ result: {} }, { result: { exitCode: null, signal: "SIGTERM" } }])
      assert.deepNestedInclude(put, { "result.truncated": false })
      const [, missing] = reports(
        yield* turn(connection, calls(["create", { command: "no-such-command", args: ["x"] }], ["wait_for_exit", {}]))
      )
      assert.deepNestedInclude(missing, { "result.exitCode": 127 })
    }))

  it.scopedLive("releasing a command that runs tells its end", () =>
    Effect.gen(function*() {
      const connection = yield* connect()
      const signals = yield* turn(connection, calls(["create", { command: "sleep 1000" }], ["release", {}]))
      assert.deepInclude(
        events(signals).find((event) => event.type === "ProcessStatus" && event.status === "exited"),
        { exitCode: null, signal: "SIGTERM" }
      )
    }))

  it.live("AG1 a command that runs, and what it started, end with the connection", () =>
    Effect.gen(function*() {
      const pids = yield* Effect.scoped(Effect.gen(function*() {
        const connection = yield* connect()
        const output = (signal: AgentSignal) =>
          signal._tag === "Said" && signal.event.type === "ProcessOutput"
            ? signal.event.data.trim().split(" ").map(Number)
            : []
        yield* say(connection, calls(["create", { command: "sleep 1000 & echo $! $$; wait" }]))
        const pids = (yield* until(connection, (signal) => output(signal).length > 0)).flatMap(output)
        assert.isTrue(pids.every(isAlive))
        return pids
      }))
      assert.strictEqual(pids.length, 2)
      yield* eventually(() => pids.every((pid) => !isAlive(pid)), "the command is gone")
    }))

  it.scopedLive("a working folder that is not there is the agent's error", () =>
    Effect.gen(function*() {
      const connection = yield* connect()
      const [refused] = reports(yield* turn(connection, calls(["create", { command: "true", cwd: "/no/such/folder" }])))
      assert.deepNestedInclude(refused, { "error.code": -32602 })
    }))

  it.scopedLive("they can be turned off", () =>
    Effect.gen(function*() {
      const connection = yield* connect({ options: { terminal: false } })
      const [refused] = reports(yield* turn(connection, calls(["create", { command: "true" }])))
      assert.deepNestedInclude(refused, { "error.code": -32601 })
    }))
})

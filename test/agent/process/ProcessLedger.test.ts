import { afterEach, assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Option from "effect/Option"
import { leakFreeFile } from "holdfast/testing/vitest"
import { spawn } from "node:child_process"
import { once } from "node:events"
import * as fs from "node:fs"
import * as path from "node:path"
import { fileURLToPath } from "node:url"
import * as AcpAgent from "../../../src/agent/acp/AcpAgent.js"
import { Agents } from "../../../src/agent/Agent.js"
import * as ProcessLedger from "../../../src/agent/process/ProcessLedger.js"
import * as ProcessTable from "../../../src/agent/process/ProcessTable.js"
import { fixture, folder, isAlive, sessionId, turn, watchChildren } from "../support.js"

leakFreeFile({ grace: "5 seconds" })

const holder = fileURLToPath(new URL("../fixtures/holder.mjs", import.meta.url))
const grace = { term: Duration.millis(300), kill: Duration.seconds(20) }

/** Starts a gateway that holds an agent. Tells the pids that the agent printed: its own, and what its script echoed. */
const hold = (dir: string, script: string, ...more: ReadonlyArray<string>) =>
  Effect.gen(function*() {
    const gateway = yield* Effect.acquireRelease(
      Effect.sync(() =>
        spawn(process.execPath, [holder, dir, script, ...more], { stdio: ["ignore", "pipe", "inherit"] })
      ),
      (gateway) =>
        Effect.promise(async () => {
          if (gateway.exitCode === null && gateway.signalCode === null && gateway.kill("SIGKILL")) {
            await once(gateway, "exit")
          }
        })
    )
    const [bytes] = yield* Effect.promise(() => once(gateway.stdout, "data"))
    const pids = String(bytes).trim().split(" ").map(Number)
    yield* Effect.addFinalizer(() =>
      Effect.sync(() => pids.filter(isAlive).forEach((pid) => process.kill(pid, "SIGKILL")))
    )
    const kill = Effect.promise(() => {
      gateway.kill("SIGKILL")
      return once(gateway, "exit")
    })
    return { pids, kill }
  })

const start = (dir: string) => {
  const logs: Array<string> = []
  const logger = Logger.replace(Logger.defaultLogger, Logger.make(({ message }) => logs.push(String(message))))
  return Effect.as(Effect.provide(ProcessLedger.make(dir, grace), logger), logs)
}

describe("ProcessLedger", () => {
  afterEach(watchChildren())

  it.scopedLive(
    "AG1 what a gateway that was killed left behind is ended at the next start: leader, grandchild, SIGTERM or not",
    () =>
      Effect.gen(function*() {
        const dir = yield* folder
        const { kill, pids } = yield* hold(dir, "trap '' TERM; sleep 1000 & echo $!; while :; do sleep 1; done")
        assert.deepStrictEqual(fs.readdirSync(dir), [`${pids[0]}.json`])
        yield* kill
        assert.deepStrictEqual(pids.map(isAlive), [true, true])
        const logs = yield* start(dir)
        assert.deepStrictEqual(pids.map(isAlive), [false, false])
        assert.deepStrictEqual(logs, ["ended an agent that an earlier gateway left behind"])
        assert.deepStrictEqual(fs.readdirSync(dir), [])
        assert.deepStrictEqual(yield* start(dir), [])
      }),
    60_000
  )

  it.scopedLive(
    "AG1 what outlived its leader, left its group, or was never recorded is found by its mark",
    () =>
      Effect.gen(function*() {
        const dir = yield* folder
        const leaderless = yield* hold(dir, "sleep 1000 & echo $!; wait")
        const detached = yield* hold(
          dir,
          "setsid sleep 1000 & sleep 0.2; echo $(pgrep -s $! 2>/dev/null || echo $!); exec sleep 1000"
        )
        const unrecorded = yield* hold(dir, "echo 0; exec sleep 1000", "unrecorded")
        const pids = [...leaderless.pids, ...detached.pids, ...unrecorded.pids].filter((pid) => pid > 0)
        yield* Effect.all([leaderless.kill, detached.kill, unrecorded.kill])
        const [leader = 0] = leaderless.pids
        assert.isAbove(leader, 1)
        process.kill(leader, "SIGKILL")
        assert.isTrue(pids.slice(1).every(isAlive))
        yield* start(dir)
        assert.deepStrictEqual(pids.filter(isAlive), [])
      }),
    60_000
  )

  it.scopedLive(
    "the agents of a gateway that lives, and of another folder, are left alone",
    () =>
      Effect.gen(function*() {
        const dir = yield* folder
        const other = yield* folder
        const living = yield* hold(dir, "echo 0; exec sleep 1000")
        const elsewhere = yield* hold(other, "echo 0; exec sleep 1000")
        yield* elsewhere.kill
        assert.deepStrictEqual(yield* start(dir), [])
        assert.isTrue(isAlive(living.pids[0] ?? 0))
        assert.isTrue(isAlive(elsewhere.pids[0] ?? 0))
      }),
    60_000
  )

  it.scopedLive("a pid that was given out again is never ended", () =>
    Effect.gen(function*() {
      const dir = yield* folder
      const stranger = yield* Effect.acquireRelease(
        Effect.sync(() => spawn("sleep", ["1000"], { detached: true, stdio: "ignore" })),
        (child) => Effect.promise(() => (child.kill("SIGKILL"), once(child, "exit")))
      )
      const pid = stranger.pid ?? 0
      const record = { agent: { pid, startedAt: "long ago" }, holder: { pid, startedAt: "long ago" } }
      fs.writeFileSync(path.join(dir, `${pid}.json`), JSON.stringify(record))
      // what the power failed to write is no reason to stop
      fs.writeFileSync(path.join(dir, "1.json"), "{\"agent\"")
      assert.deepStrictEqual(yield* start(dir), [])
      assert.isTrue(isAlive(pid))
      assert.deepStrictEqual(fs.readdirSync(dir), [])
    }))

  it.live("an agent is recorded while it runs, with the time of its start, and marked", () =>
    Effect.gen(function*() {
      const dir = yield* folder
      const records = () => fs.readdirSync(dir).map((file) => JSON.parse(fs.readFileSync(path.join(dir, file), "utf8")))
      yield* Effect.scoped(Effect.gen(function*() {
        const agents = yield* Agents
        const agent = yield* agents.get("fixture")
        const connection = yield* agent.connect({ sessionId, cwd: dir, resume: Option.none() })
        const signals = yield* turn(connection, "env")
        const [record] = records()
        assert.strictEqual(record.agent.startedAt, ProcessTable.startedAt(record.agent.pid))
        assert.deepStrictEqual(record.holder, { pid: process.pid, startedAt: ProcessTable.startedAt(process.pid) })
        assert.include(JSON.stringify(signals), "HOLDFAST_AGENT_OF")
      })).pipe(Effect.provide(
        AcpAgent.layer({ fixture: { command: process.execPath, args: [fixture] } }).pipe(
          Layer.provide(ProcessLedger.layerFolder(dir))
        )
      ))
      assert.deepStrictEqual(records(), [])
    }).pipe(Effect.scoped))

  it.scopedLive("a folder that cannot be made is an error that names it", () =>
    Effect.gen(function*() {
      const dir = yield* folder
      fs.writeFileSync(path.join(dir, "file"), "")
      const error = yield* Effect.flip(ProcessLedger.make(path.join(dir, "file", "ledger")))
      assert.strictEqual(error._tag, "ProcessLedgerUnusable")
      assert.include(error.message, path.join(dir, "file", "ledger"))
      // nor one with a record that cannot be read
      fs.mkdirSync(path.join(dir, "1.json"))
      assert.strictEqual((yield* Effect.flip(ProcessLedger.make(dir)))._tag, "ProcessLedgerUnusable")
    }))
})

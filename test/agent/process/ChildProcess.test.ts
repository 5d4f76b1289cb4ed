import { afterEach, assert, describe, it, vi } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import { leakFreeFile } from "holdfast/testing/vitest"
import * as fs from "node:fs"
import { join } from "node:path"
import * as ChildProcess from "../../../src/agent/process/ChildProcess.js"
import * as Environment from "../../../src/agent/process/Environment.js"
import * as ProcessGroup from "../../../src/agent/process/ProcessGroup.js"
import { none } from "../../../src/agent/process/ProcessLedger.js"
import { withWallClock } from "../../wallClock.js"
import { eventually, folder, isAlive, watchChildren } from "../support.js"

leakFreeFile({ grace: "5 seconds" })

/** Each of these waits is one for what ends by itself: on a busy machine that may take its time. */
const patient = { stdin: Duration.seconds(20), term: Duration.seconds(20), kill: Duration.seconds(20) }
const deaf = { ...patient, stdin: Duration.millis(200) }
const stubborn = { ...deaf, term: Duration.millis(200) }

const spawnWith = (grace: typeof patient, command: string, ...args: ReadonlyArray<string>) =>
  ChildProcess.spawn({ command, args, cwd: "/", env: Environment.make({}), ledger: none, grace })
const spawn = (command: string, ...args: ReadonlyArray<string>) => spawnWith(deaf, command, ...args)

const sh = (script: string, grace = deaf) => spawnWith(grace, "/bin/sh", "-c", script)

const line = (child: ChildProcess.ChildProcess) =>
  Effect.map(child.read, (bytes) => Option.match(bytes, { onNone: () => "", onSome: String }).trim())

const all = (child: ChildProcess.ChildProcess) =>
  Effect.gen(function*() {
    let bytes = 0
    for (let next = yield* child.read; Option.isSome(next); next = yield* child.read) bytes += next.value.length
    return bytes
  })

/** Runs `use`, closes the scope, and tells how long the close took. */
const closing = <A, E>(use: Effect.Effect<A, E, Scope.Scope>) =>
  Effect.gen(function*() {
    const scope = yield* Scope.make()
    const value = yield* Scope.extend(use, scope)
    const [took] = yield* Effect.timed(Scope.close(scope, Exit.void))
    return { value, millis: Duration.toMillis(took) }
  })

describe("ChildProcess", () => {
  afterEach(watchChildren())

  it.scopedLive("what is sent is read, and the end of the child is told", () =>
    Effect.gen(function*() {
      const child = yield* sh("read line; echo got $line; echo oops >&2; exit 4")
      yield* child.send("it\n")
      assert.strictEqual(yield* line(child), "got it")
      assert.isTrue(Option.isNone(yield* child.read))
      assert.deepStrictEqual(yield* child.exited, { code: 4, signal: null })
      assert.strictEqual(yield* child.stderr, "oops\n")
      // to a child that is gone nothing is sent, and nobody fails
      yield* child.send("more\n")
    }))

  it.scopedLive("who is interrupted while it closes the scope ends the child all the same (AG1)", () =>
    Effect.gen(function*() {
      const scope = yield* Scope.make()
      const child = yield* Scope.extend(sh("echo up; exec sleep 1000"), scope)
      yield* line(child)
      const closing = yield* Effect.fork(Effect.uninterruptible(Scope.close(scope, Exit.void)))
      yield* Effect.sleep("50 millis") // it waits for the end that the child is asked for, 200 ms
      yield* Fiber.interrupt(closing)
      assert.isFalse(isAlive(child.pid))
    }))

  it.scopedLive("a child that is killed with bytes on their way to it raises no EPIPE", () =>
    Effect.gen(function*() {
      const child = yield* sh("echo ready; sleep 1000")
      yield* line(child)
      const sending = yield* Effect.fork(child.send("x".repeat(10_000_000)))
      yield* Effect.sleep("50 millis")
      assert.isTrue(Option.isNone(yield* Fiber.poll(sending)))
      yield* child.kill
      yield* Fiber.join(sending)
      assert.deepStrictEqual(yield* child.exited, { code: null, signal: "SIGTERM" })
    }))

  it.scopedLive("output is taken from the child only as it is read", () =>
    Effect.gen(function*() {
      const dir = yield* folder
      const file = join(dir, "written")
      const child = yield* spawn(
        process.execPath,
        "-e",
        `let n = 0; const w = () => { n++; require("fs").writeFileSync(${
          JSON.stringify(file)
        }, String(n)); if (n < 300) process.stdout.write("x".repeat(65536), w) }; w()`
      )
      const written = () => Number(fs.existsSync(file) ? fs.readFileSync(file, "utf8") : 0)
      yield* eventually(() => written() > 0, "the first output")
      yield* Effect.sleep("500 millis")
      assert.isBelow(written(), 20)
      assert.strictEqual(yield* all(child), 299 * 65536)
    }))

  it.scopedLive("stderr is always read, and its last 64 KiB are kept, whole characters only", () =>
    Effect.gen(function*() {
      const child = yield* spawn(
        process.execPath,
        "-e",
        `process.stderr.write("ä".repeat(1_000_000) + "x", () => process.exit(1))`
      )
      yield* child.exited
      const stderr = yield* child.stderr
      assert.strictEqual(stderr, `${"ä".repeat(32767)}x`)
    }))

  it.live("AG1 a child that ends with its stdin is gone at once", () =>
    Effect.gen(function*() {
      const { millis, value } = yield* closing(Effect.map(sh("cat", patient), ({ pid }) => pid))
      assert.isBelow(millis, 10_000)
      assert.isFalse(isAlive(value))
    }))

  it.live("AG1 one that ignores stdin is told, one that ignores SIGTERM is killed, each after its wait", () =>
    Effect.gen(function*() {
      const told = yield* closing(Effect.tap(sh("echo ready; exec sleep 1000"), line))
      assert.isAtLeast(told.millis, 190)
      assert.isBelow(told.millis, 10_000)
      const ignoring = sh("trap '' TERM; echo ready; while :; do sleep 1; done", stubborn)
      const killed = yield* closing(Effect.tap(ignoring, line))
      assert.isAtLeast(killed.millis, 390)
      assert.isBelow(killed.millis, 10_000)
      assert.isFalse(isAlive(killed.value.pid))
    }))

  it.live("AG1 a child that is stuck in a write still sees the end of its stdin", () =>
    Effect.gen(function*() {
      const { millis } = yield* closing(
        Effect.tap(sh("head -c 5000000 /dev/zero; cat", patient), (child) => child.read)
      )
      assert.isBelow(millis, 10_000)
    }))

  it.live("AG1 a grandchild that ignores SIGTERM ends with the scope though its parent left before", () =>
    Effect.gen(function*() {
      const { value } = yield* closing(Effect.gen(function*() {
        const ignore = "trap '' TERM; echo up; exec >/dev/null 2>&1; while :; do sleep 1; done"
        const child = yield* sh(`(${ignore}) & echo $!; read line`, stubborn)
        // the number and `up`, in any order
        let said = ""
        while (!/^up$/m.test(said) || !/^\d+$/m.test(said)) said += `${yield* line(child)}\n`
        const pid = Number(/^\d+$/m.exec(said)?.[0])
        yield* child.send("\n")
        yield* child.exited
        assert.isTrue(isAlive(pid))
        return pid
      }))
      assert.isFalse(isAlive(value))
    }))

  it.scopedLive("AG1 a leader that ends by itself takes its group along, without anyone closing", () =>
    Effect.gen(function*() {
      const child = yield* sh("sleep 1000 & echo $!")
      const pid = Number(yield* line(child))
      yield* eventually(() => !isAlive(pid), "the grandchild is gone")
      assert.isTrue(Option.isNone(yield* child.read))
    }))

  it.scopedLive("whoever left the group and holds the pipe does not hold the reader", () =>
    Effect.gen(function*() {
      const child = yield* spawn(
        process.execPath,
        "-e",
        `const c = require("child_process").spawn("sleep", ["1000"], { detached: true, stdio: ["ignore", "inherit", "inherit"] }); console.log(c.pid); process.exit(5)`
      )
      const pid = Number(yield* line(child))
      assert.isAbove(pid, 1)
      yield* Effect.addFinalizer(() => Effect.sync(() => process.kill(pid, "SIGKILL")))
      assert.isTrue(Option.isNone(yield* child.read))
      assert.deepStrictEqual(yield* child.exited, { code: 5, signal: null })
    }))

  it.scopedLive("AG2 and does not hold it by writing on and on, either", () =>
    Effect.gen(function*() {
      const endless = `echo $$; while :; do echo; sleep 0.05; done`
      const child = yield* spawn(
        process.execPath,
        "-e",
        `const c = require("child_process").spawn("sh", ["-c", "${endless}"], { detached: true, stdio: ["ignore", "inherit", "inherit"] }); c.once("spawn", () => process.exit(5))`
      )
      const pid = Number(yield* line(child))
      assert.isAbove(pid, 1)
      yield* Effect.addFinalizer(() => Effect.sync(() => process.kill(-pid, "SIGKILL")))
      assert.isTrue(Option.isSome(yield* Effect.timeoutOption(all(child), "20 seconds")))
    }))

  it.scopedLive("AG2 what it wrote before its end is read, however busy the event loop is meanwhile", () =>
    Effect.gen(function*() {
      const child = yield* sh("head -c 100000 /dev/zero")
      yield* child.exited
      // the group is gone then, and what is left in the pipe is all that comes
      yield* Effect.zipRight(child.kill, Effect.sleep("50 millis"))
      let bytes = 0
      for (let more = true; more;) {
        const reading = yield* Effect.fork(child.read)
        yield* Effect.yieldNow()
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 600)
        const chunk = yield* Fiber.join(reading)
        more = Option.isSome(chunk)
        if (Option.isSome(chunk)) bytes += chunk.value.length
      }
      assert.strictEqual(bytes, 100_000)
    }))

  it.live("AG1 a group that is gone is signalled no more: its number may be another's by then", () =>
    Effect.gen(function*() {
      const scope = yield* Scope.make()
      const child = yield* Scope.extend(sh("exit 0"), scope)
      yield* all(child)
      const kill = vi.spyOn(process, "kill")
      yield* Effect.zipRight(child.kill, Scope.close(scope, Exit.void)).pipe(
        Effect.ensuring(Effect.sync(() => kill.mockRestore()))
      )
      assert.strictEqual(kill.mock.calls.length, 0)
    }))

  it.live("AG1 a number that would mean more than a group is never signalled", () =>
    Effect.gen(function*() {
      const kill = vi.spyOn(process, "kill").mockImplementation(() => true)
      const ended = yield* Effect.forEach([0, 1, Number.NaN], (group) => ProcessGroup.end(group, stubborn)).pipe(
        Effect.ensuring(Effect.sync(() => kill.mockRestore()))
      )
      assert.deepStrictEqual([ended, kill.mock.calls], [[true, true, true], []])
    }))

  it.scopedLive("AG1 the waits are bounded also when the clock is set back meanwhile", () =>
    Effect.gen(function*() {
      const child = yield* sh("trap '' TERM; echo ready; while :; do sleep 1; done", stubborn)
      yield* line(child)
      let ahead = 0
      const ended = yield* child.kill.pipe(withWallClock(() => ahead -= 1000), Effect.timeoutOption("20 seconds"))
      assert.isTrue(Option.isSome(ended))
    }))

  it.live("AG1 the scope waits for nothing but the child, also where nobody can be interrupted", () =>
    Effect.gen(function*() {
      const { millis } = yield* closing(Effect.uninterruptible(sh("cat", patient)))
      assert.isBelow(millis, 10_000)
    }))

  it.scopedLive("a command that is not there is named with the PATH, a working folder that is gone with its name", () =>
    Effect.gen(function*() {
      const path = process.env["PATH"] ?? ""
      const missing = yield* Effect.flip(spawn("no-such-agent"))
      assert.deepInclude({ ...missing }, { _tag: "AgentCommandNotFound", command: "no-such-agent", path })
      assert.include(missing.message, "\"no-such-agent\" is not there")
      assert.include(missing.message, path)

      const dir = yield* folder
      const file = join(dir, "file")
      fs.writeFileSync(file, "")
      const forbidden = yield* Effect.flip(spawn(file))
      assert.deepInclude({ ...forbidden }, { _tag: "AgentCommandNotFound" })
      assert.include(forbidden.message, "may not be executed")

      const options = { command: "cat", args: [], cwd: join(dir, "gone"), env: Environment.make({}), ledger: none }
      const gone = yield* Effect.flip(ChildProcess.spawn(options))
      assert.strictEqual(gone._tag, "AgentCommandNotFound")
      assert.include(gone.message, `its working folder ${options.cwd} is not there`)

      const impossible = yield* Effect.flip(spawn("cat", "a\0b"))
      assert.deepInclude({ ...impossible }, { _tag: "AgentDied", exitCode: null })
    }))
})

describe("Environment", () => {
  it("passes on what a program needs, and nothing that could be a secret", () => {
    const env = Environment.make({ TERM: "dumb", NEW: "1" }, {
      PATH: "/bin",
      LC_ALL: "C",
      XDG_CACHE_HOME: "/c",
      https_proxy: "p",
      TERM: "xterm",
      LC: "x",
      AWS_SECRET_ACCESS_KEY: "s",
      ANTHROPIC_API_KEY: "s",
      NODE_OPTIONS: "--require evil",
      HOLDFAST_TOKEN: "s",
      HOME: undefined
    })
    assert.deepStrictEqual(env, {
      PATH: "/bin",
      LC_ALL: "C",
      XDG_CACHE_HOME: "/c",
      https_proxy: "p",
      TERM: "dumb",
      NEW: "1"
    })
  })
})

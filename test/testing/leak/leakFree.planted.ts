/**
 * Run by ../LeakFree.test.ts. A name that begins with "clean" passes; after "leak: " stands what its failure says.
 */
import { afterAll, onTestFinished } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as FiberMap from "effect/FiberMap"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { it } from "holdfast/testing/vitest"
import * as ChildProcess from "node:child_process"
import { once } from "node:events"
import * as Fs from "node:fs"
import * as Http from "node:http"
import * as Net from "node:net"
import * as Os from "node:os"
import { MessageChannel, Worker } from "node:worker_threads"
import * as Meeting from "./Meeting.js"

const processes: Array<number> = []
afterAll(() => {
  for (const pid of processes) process.kill(pid, "SIGKILL")
})

const listen = <A extends Net.Server>(server: A) =>
  Effect.promise(async () => {
    await once(server.listen(0, "127.0.0.1"), "listening")
    return server
  })
const close = (server: Net.Server) => Effect.promise(() => new Promise((resolve) => server.close(resolve)))
const sleeper = Effect.sync(() => {
  const child = ChildProcess.spawn("sleep", ["777"], { stdio: "ignore" })
  processes.push(child.pid ?? 0)
  return child
})

/** Most do not end, so there is nothing to wait for. */
const leaks = <A, E>(words: string, self: () => Effect.Effect<A, E, Scope.Scope>) =>
  it.leakFree(`leak: ${words}`, self, { grace: "40 millis" })

leaks("fiber · spans work · parent", () => Effect.forkDaemon(Effect.withSpan(Effect.never, "work")))

it.leakFree("clean: a fiber of the test's scope", () => Effect.forkScoped(Effect.never))

it.leakFree("clean: a child of the test", () => Effect.fork(Effect.never))

leaks("fiber · Deferred that it made", () =>
  Effect.gen(function*() {
    yield* Effect.forkDaemon(Deferred.await(yield* Deferred.make()))
  }))

leaks("fiber · waits for a callback · timer setTimeout, 3000 ms · made at", () =>
  Effect.gen(function*() {
    const map = yield* FiberMap.make<string>()
    yield* FiberMap.run(
      map,
      "key",
      Effect.onInterrupt(Effect.never, () => Effect.promise(() => new Promise((go) => setTimeout(go, 3000))))
    )
    yield* FiberMap.run(map, "key", Effect.onInterrupt(Effect.never, () => Effect.void))
  }))

leaks("fiber · a callback", () => Effect.sync(() => Stream.toReadableStream(Stream.range(1, 100, 1))))

leaks("timer · setInterval, 1000 ms · made at", () => Effect.sync(() => setInterval(() => {}, 1000)))

leaks("timer · setTimeout, 100000 ms · made at", () => Effect.sync(() => setTimeout(() => {}, 100_000)))

it.leakFree("clean: timers that were cleared", () => Effect.sync(() => clearTimeout(setTimeout(() => {}, 100_000))))

leaks("server · net server at 127.0.0.1 · made at", () => listen(Net.createServer()))

it.leakFree("clean: a server that was closed", () => Effect.acquireRelease(listen(Net.createServer()), close))

leaks("server · http server at 127.0.0.1 · made at", () => listen(Http.createServer()))

leaks("socket · tcp 127.0.0.1 · accepted by a server · made at", () =>
  Effect.gen(function*() {
    const server = yield* listen(Net.createServer())
    const { port } = server.address() as Net.AddressInfo
    yield* Effect.promise(() => once(Net.connect(port, "127.0.0.1"), "connect"))
  }))

leaks("watcher · fs.watch · made at", () => Effect.sync(() => Fs.watch(Os.tmpdir())))

leaks("worker · thread · made at", () => Effect.sync(() => new Worker("setInterval(() => {}, 1000)", { eval: true })))

leaks("port · made at", () => Effect.sync(() => new MessageChannel().port1.on("message", () => {})))

leaks("process · sleep 777 · made at", () => sleeper)

leaks("process · sleep 780 · made at", () =>
  Effect.sync(() => {
    processes.push(ChildProcess.spawn("/bin/sleep", ["780"], { stdio: "ignore", env: {} }).pid ?? 0)
  }))

it.leakFree.live("leak: process · sleep 781", () =>
  Effect.gen(function*() {
    yield* Meeting.hear("waiting")
    processes.push(ChildProcess.spawn("sleep", ["781"], { stdio: "ignore" }).pid ?? 0)
    yield* Meeting.tell("started")
  }), { grace: 0 })

it.leakFree("clean: a process that was killed", () =>
  Effect.acquireRelease(sleeper, (child) =>
    Effect.promise(() => {
      processes.pop()
      child.kill()
      return once(child, "exit")
    })))

leaks("process · sleep 778 · has ended", () =>
  Effect.sync(() => {
    processes.push(Number(ChildProcess.execSync("sleep 778 > /dev/null 2>&1 & echo $!", { encoding: "utf8" })))
  }))

it.leakFree("clean: what the test's own hooks put away", (context) =>
  Effect.sync(() => {
    const timer = setInterval(() => {}, 1000)
    onTestFinished(() => clearInterval(timer))
    const other = setInterval(() => {}, 1000)
    context.onTestFinished(() => clearInterval(other))
  }))

it.leakFree(
  "clean: what is ignored",
  () => Effect.forkDaemon(Effect.withSpan(Effect.never, "metrics")),
  { ignore: ({ spans }) => spans.includes("metrics") }
)

it.leakFree(
  "clean: timers where nobody listens",
  () => Effect.sync(() => setInterval(() => {}, 1000)),
  { handles: false, timeout: 1000 }
)

it.leakFree(
  "leak: timer · setInterval, 1002 ms · made at",
  () => Effect.sync(() => setInterval(() => {}, 1002).unref()),
  { unref: true, grace: "40 millis" }
)

it.leakFree("clean: a test that is known to leak", () => Effect.forkDaemon(Effect.never), { fails: true })

it.leakFree(
  "leak: STACK_TRACE_ERROR · setInterval, 4321 ms",
  () => Effect.zipRight(Effect.sync(() => setInterval(() => {}, 4321)), Effect.never),
  50
)

it.leakFree(
  "leak: STACK_TRACE_ERROR · fiber · spans stuck",
  () => Effect.uninterruptible(Effect.withSpan(Effect.never, "stuck")),
  50
)

leaks(
  "of its own · setInterval, 4322 ms",
  () => Effect.zipRight(Effect.sync(() => setInterval(() => {}, 4322)), Effect.fail("of its own"))
)

leaks(
  "All fibers interrupted · setInterval, 4323 ms",
  () => Effect.zipRight(Effect.sync(() => setInterval(() => {}, 4323)), Effect.interrupt)
)

it.leakFree.live("clean: a test with a live clock", () => Effect.sleep("1 millis"))

it.leakFree.live("leak: fiber · a timer of 7000 ms", () => Effect.forkDaemon(Effect.sleep("7 seconds")))

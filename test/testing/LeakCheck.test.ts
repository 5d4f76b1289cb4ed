import { afterEach, describe, expect, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as FiberMap from "effect/FiberMap"
import * as Queue from "effect/Queue"
import * as Schedule from "effect/Schedule"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as Esbuild from "esbuild"
import { LeakCheck } from "holdfast/testing"
import * as ChildProcess from "node:child_process"
import * as Dgram from "node:dgram"
import { EventEmitter, once } from "node:events"
import * as Fs from "node:fs"
import * as Http from "node:http"
import * as Net from "node:net"
import * as Os from "node:os"
import * as Path from "node:path"
import * as Tls from "node:tls"
import { MessageChannel, Worker } from "node:worker_threads"

/** What removes the leaks that a test planted. */
const undo: Array<() => unknown> = []
afterEach(async () => {
  for (const remove of undo.splice(0).reverse()) await remove()
})
const remove = <A>(value: A, how: (value: A) => unknown): A => {
  undo.push(() => how(value))
  return value
}

/** Runs what leaks, and gives what was found. */
const leaksOf = <A, E>(self: Effect.Effect<A, E>, options?: LeakCheck.Options) =>
  self.pipe(
    LeakCheck.check({ grace: "40 millis", ...options }),
    Effect.flip,
    Effect.map((error) => {
      if (!(error instanceof LeakCheck.LeaksFound)) throw error
      return error
    })
  )

/** The one leak of this program, and the report on it. */
const leakOf = <A, E>(self: Effect.Effect<A, E>, options?: LeakCheck.Options) =>
  Effect.map(leaksOf(self, options), ({ leaks, message }) => {
    expect(leaks.length, message).toBe(1)
    expect(message).toContain("1 leak")
    const [leak] = leaks
    if (leak === undefined) throw new Error("none")
    return { ...leak, message }
  })

const here =
  /made at +test\/testing\/LeakCheck\.test\.ts:\d+:\d+|made at .*\(test\/testing\/LeakCheck\.test\.ts:\d+:\d+\)/

const interrupt = (fiber: Fiber.RuntimeFiber<unknown, unknown>) => Effect.runPromise(Fiber.interrupt(fiber))

const listen = (server: Net.Server) =>
  Effect.promise(async () => {
    server.listen(0, "127.0.0.1")
    await once(server, "listening")
    return (server.address() as Net.AddressInfo).port
  })
const closed = (server: Net.Server) => new Promise((resolve) => server.close(resolve))

const connect = (port: number) =>
  Effect.promise(async () => {
    const socket = Net.connect(port, "127.0.0.1")
    await once(socket, "connect")
    return socket
  })

describe("LeakCheck finds a fiber", () => {
  it.live("that is a daemon, with its spans, age, parent and what it waits for, and does not tell of its timer too", () =>
    Effect.gen(function*() {
      const forked = Effect.never.pipe(Effect.withSpan("inner"), Effect.withSpan("outer"), Effect.forkDaemon)
      const leak = yield* leakOf(Effect.map(forked, (fiber) => remove(fiber, interrupt)))
      expect(leak).toMatchObject({ kind: "fiber", spans: ["inner", "outer"] })
      expect(leak.message).toMatch(/fiber #\d+, suspended, \d+ ms old/)
      expect(leak.message).toMatch(/spans +inner < outer/)
      expect(leak.message).toMatch(/waits for +.*Effect\.never/)
      expect(leak.message).toMatch(/parent +fiber #\d+/)
      expect(leak.message).toContain("Effect.withSpan")
      expect(leak.age).toBeGreaterThan(0)
      expect(leak.age).toBeLessThan(5000)
    }))

  it.live("that was forked into a scope that outlives the program, and tells of the sleep", () =>
    Effect.gen(function*() {
      const scope = remove(yield* Scope.make(), (scope) => Effect.runPromise(Scope.close(scope, Exit.void)))
      const leak = yield* leakOf(Effect.forkIn(Effect.sleep("1 hour"), scope))
      expect(leak.kind).toBe("fiber")
      expect(leak.message).toMatch(/waits for +a timer of 3600000 ms \(Effect\.sleep\)/)
    }))

  it.live("that waits for a Deferred, which no handle of Node tells of", () =>
    Effect.gen(function*() {
      const leak = yield* leakOf(
        Effect.gen(function*() {
          const gate = yield* Deferred.make<void>()
          const fiber = yield* Effect.forkDaemon(Effect.annotateLogs(Deferred.await(gate), "session", "ses_1"))
          remove(fiber, interrupt)
        }),
        { handles: false }
      )
      expect(leak.message).toMatch(/waits for +fiber #\d+/)
      expect(leak.message).toMatch(/annotations +session=ses_1/)
    }))

  it.live("that waits for another, and names that one", () =>
    Effect.gen(function*() {
      const { leaks } = yield* leaksOf(Effect.gen(function*() {
        const worker = remove(yield* Effect.forkDaemon(Effect.withSpan(Effect.never, "work")), interrupt)
        remove(yield* Effect.forkDaemon(Fiber.await(worker)), interrupt)
      }))
      expect(leaks.length).toBe(2)
      expect(leaks.flatMap(({ details }) => details.map(([, text]) => text)).join("\n")).toMatch(
        /^fiber #\d+ \(work\)/m
      )
    }))

  it.live("and its children, each with its parent", () =>
    Effect.gen(function*() {
      const { leaks, message } = yield* leaksOf(
        Effect.forkDaemon(Effect.zipRight(Effect.fork(Effect.never), Effect.never)).pipe(
          Effect.map((fiber) => remove(fiber, interrupt)),
          Effect.tap(() => Effect.sleep("5 millis"))
        )
      )
      expect(leaks.map(({ kind }) => kind)).toEqual(["fiber", "fiber"])
      const [outer] = leaks
      expect(message).toContain(`parent      fiber ${outer?.what.split(",")[0]}\n`)
    }))

  it.live("that a FiberMap replaced, when its finalizer is slow", () =>
    Effect.gen(function*() {
      const slow = Effect.onInterrupt(Effect.never, () => Effect.sleep("1 second"))
      const leak = yield* leakOf(Effect.scoped(Effect.gen(function*() {
        const map = yield* FiberMap.make<string>()
        remove(yield* FiberMap.run(map, "key", slow), Fiber.await)
        yield* Effect.yieldNow()
        yield* FiberMap.run(map, "key", Effect.never)
      })))
      expect(leak.message).toMatch(/waits for +a timer of 1000 ms/)
    }))

  it.live("behind a ReadableStream that nobody reads or cancels", () =>
    Effect.gen(function*() {
      const stream = Effect.sync(() => Stream.toReadableStream(Stream.range(1, 100, 1)))
      const { leaks } = yield* leaksOf(Effect.tap(stream, (stream) => {
        undo.push(() => stream.cancel())
        return Effect.sleep("5 millis")
      }))
      expect(new Set(leaks.map(({ kind }) => kind))).toEqual(new Set(["fiber"]))
    }))

  it.live("that waits at a queue", () =>
    Effect.gen(function*() {
      const leak = yield* leakOf(Effect.gen(function*() {
        const queue = yield* Queue.unbounded<number>()
        remove(yield* Effect.forkDaemon(Queue.take(queue)), interrupt)
      }))
      expect(leak.message).toMatch(/waits for +a Deferred of its own/)
    }))

  it.live("that never waits", () =>
    Effect.gen(function*() {
      const leak = yield* leakOf(
        Effect.map(Effect.forkDaemon(Effect.forever(Effect.yieldNow())), (fiber) => remove(fiber, interrupt))
      )
      expect(leak.message).toMatch(/fiber #\d+, running/)
    }))

  it.live("that escaped through Effect.runFork", () =>
    Effect.gen(function*() {
      const leak = yield* leakOf(Effect.sync(() => {
        remove(Effect.runFork(Effect.never), interrupt)
      }))
      expect(leak.kind).toBe("fiber")
    }))
})

describe("LeakCheck finds a handle", () => {
  it.live("setInterval, with the line, the fiber and the spans", () =>
    Effect.gen(function*() {
      const leak = yield* leakOf(
        Effect.withSpan(Effect.sync(() => void remove(setInterval(() => {}, 1234), clearInterval)), "ticker")
      )
      expect(leak).toMatchObject({ kind: "timer", what: "setInterval, 1234 ms", spans: ["ticker"] })
      expect(leak.message).toMatch(here)
      expect(leak.message).toMatch(/made in +fiber #\d+/)
      expect(leak.message).toMatch(/spans +ticker/)
    }))

  it.live("setTimeout, with the name of its callback", () =>
    Effect.gen(function*() {
      const leak = yield* leakOf(Effect.sync(() => {
        remove(setTimeout(function expire() {}, 60_000), clearTimeout)
      }))
      expect(leak).toMatchObject({ kind: "timer", what: "setTimeout, 60000 ms of expire" })
      expect(leak.message).toMatch(here)
    }))

  it.live("a timer that a listener without a name set, with the line", () =>
    Effect.gen(function*() {
      const emitter = new EventEmitter().on("go", function() {
        remove(setInterval(() => {}, 4711), clearInterval)
      })
      const leak = yield* leakOf(Effect.sync(() => emitter.emit("go")))
      expect(leak.message).toMatch(/made at +EventEmitter\.<anonymous> \(test\/testing\/LeakCheck\.test\.ts:\d+:\d+\)/)
    }))

  it.live("a setImmediate that goes on for ever", () =>
    Effect.gen(function*() {
      let on = true
      undo.push(() => on = false)
      const again = () => on && setImmediate(again)
      const leak = yield* leakOf(Effect.sync(again))
      expect(leak).toMatchObject({ kind: "timer", what: "setImmediate of again" })
    }))

  it.live("net.Server, with its address", () =>
    Effect.gen(function*() {
      const server = remove(Net.createServer(), closed)
      const leak = yield* leakOf(listen(server))
      expect(leak).toMatchObject({
        kind: "server",
        what: `net server at 127.0.0.1:${(server.address() as Net.AddressInfo).port}`
      })
      expect(leak.message).toMatch(here)
    }))

  it.live("a server at a path", () =>
    Effect.gen(function*() {
      const path = Path.join(Fs.mkdtempSync(Path.join(Os.tmpdir(), "leak-")), "socket")
      const server = remove(Net.createServer(), closed)
      const leak = yield* leakOf(Effect.promise(async () => {
        server.listen(path)
        await once(server, "listening")
      }))
      expect(leak.what).toBe(`net server at ${path}`)
    }))

  it.live("an HTTP server", () =>
    Effect.gen(function*() {
      const server = remove(Http.createServer(), closed)
      const leak = yield* leakOf(listen(server))
      expect(leak.what).toMatch(/^http server at 127\.0\.0\.1:\d+$/)
    }))

  it.live("both ends of a connection, of which one was made by Node", () =>
    Effect.gen(function*() {
      const server = remove(Net.createServer((socket) => socket.resume()), closed)
      const port = yield* listen(server)
      const { leaks, message } = yield* leaksOf(
        Effect.map(connect(port), (socket) => void remove(socket, () => socket.destroy()))
      )
      expect(leaks.map(({ kind }) => kind)).toEqual(["socket", "socket"])
      expect(message).toMatch(new RegExp(`tcp 127\\.0\\.0\\.1:\\d+ -> 127\\.0\\.0\\.1:${port}, `))
      expect(message).toMatch(new RegExp(`tcp 127\\.0\\.0\\.1:${port} -> 127\\.0\\.0\\.1:\\d+, accepted by a server`))
      expect(message).toMatch(here)
    }))

  it.live("a TLS socket that waits for a handshake, once", () =>
    Effect.gen(function*() {
      const server = remove(Net.createServer({ pauseOnConnect: true }), closed)
      const port = yield* listen(server)
      const { leaks, message } = yield* leaksOf(Effect.promise(async () => {
        const [socket] = await Promise.all([
          once(server, "connection"),
          remove(Tls.connect(port, "127.0.0.1"), (tls) => tls.destroy())
        ])
        undo.push(() => socket[0].destroy())
      }))
      expect(leaks.length, message).toBe(2)
      expect(message).toMatch(/socket tls/)
    }))

  it.live("a UDP socket", () =>
    Effect.gen(function*() {
      const leak = yield* leakOf(Effect.promise(async () => {
        const socket = Dgram.createSocket("udp4")
        undo.push(() => socket.close())
        socket.bind(0, "127.0.0.1")
        await once(socket, "listening")
      }))
      expect(leak.what).toMatch(/^udp 127\.0\.0\.1:\d+$/)
      expect(leak.message).toMatch(here)
    }))

  it.live("fs.watch", () =>
    Effect.gen(function*() {
      const leak = yield* leakOf(Effect.sync(() => {
        remove(Fs.watch(Os.tmpdir()), (watcher) => watcher.close())
      }))
      expect(leak).toMatchObject({ kind: "watcher", what: "fs.watch" })
      expect(leak.message).toMatch(here)
    }))

  it.live("fs.watchFile", () =>
    Effect.gen(function*() {
      const file = Path.join(Os.tmpdir(), "leak-check-watched")
      const leak = yield* leakOf(Effect.sync(() => {
        remove(Fs.watchFile(file, () => {}), () => Fs.unwatchFile(file))
      }))
      expect(leak).toMatchObject({ kind: "watcher", what: "fs.watchFile" })
      expect(leak.message).toMatch(here)
    }))

  it.live("a worker thread, once, without the ports behind it", () =>
    Effect.gen(function*() {
      const leak = yield* leakOf(Effect.promise(async () => {
        const worker = new Worker("setInterval(() => {}, 1000)", { eval: true })
        undo.push(() => worker.terminate())
        worker.ref()
        await once(worker, "online")
      }))
      expect(leak.kind).toBe("worker")
      expect(leak.what).toMatch(/^thread \d+$/)
      expect(leak.message).toMatch(here)
    }))

  it.live("a message port that is listened to", () =>
    Effect.gen(function*() {
      const leak = yield* leakOf(Effect.sync(() => {
        const { port1 } = remove(new MessageChannel(), ({ port1 }) => port1.close())
        port1.on("message", () => {})
      }))
      expect(leak.kind).toBe("port")
      expect(leak.message).toMatch(here)
    }))
})

describe.skipIf(process.platform !== "linux")("LeakCheck finds a process", () => {
  // 0 would be this process's own group
  const kill = (pid: number) => pid > 1 ? process.kill(pid, "SIGKILL") : false

  it.live("with its id and command and the line that spawned it, also with the hook off, and not its pipes", () =>
    Effect.gen(function*() {
      for (const handles of [true, false]) {
        let pid = 0
        const leak = yield* leakOf(
          Effect.sync(() => {
            const child = ChildProcess.spawn("sleep", ["1234"])
            pid = child.pid ?? 0
            undo.push(() => kill(pid))
          }),
          { handles }
        )
        expect(leak).toMatchObject({ kind: "process", what: `${pid}: sleep 1234` })
        expect(leak.message).toMatch(here)
      }
    }))

  it.live("that was forked, and not its channel", () =>
    Effect.gen(function*() {
      const leak = yield* leakOf(Effect.promise(async () => {
        const module = Path.join(Fs.mkdtempSync(Path.join(Os.tmpdir(), "leak-")), "child.cjs")
        Fs.writeFileSync(module, "process.on('message', () => {})")
        const child = ChildProcess.fork(module, { execArgv: [] })
        undo.push(async () => {
          child.kill("SIGKILL")
          await once(child, "exit")
        })
        await once(child, "spawn")
      }))
      expect(leak.what).toMatch(/child\.cjs$/)
      expect(leak.message).toMatch(here)
    }))

  /** Until it is the command itself, and has an environment that can be read. */
  const asleep = (pid: number) =>
    Effect.sync(() => Fs.readFileSync(`/proc/${pid}/cmdline`, "utf8")).pipe(
      Effect.repeat({ until: (line) => line.startsWith("sleep"), schedule: Schedule.spaced("5 millis") })
    )

  const shell = (command: string, options: ChildProcess.SpawnOptions) =>
    Effect.async<number>((resume) => {
      const child = ChildProcess.spawn("sh", ["-c", `${command} & echo $!`], {
        ...options,
        stdio: ["ignore", "pipe", "ignore"]
      })
      let told = ""
      child.stdout.setEncoding("utf8").on("data", (text: string) => told += text)
      child.on("close", () => {
        undo.push(() => kill(Number(told)))
        resume(Effect.succeed(Number(told)))
      })
    }).pipe(Effect.tap(asleep))

  it.live("that outlives the child that started it, known by its group", () =>
    Effect.gen(function*() {
      let pid = 0
      const leak = yield* leakOf(Effect.map(
        shell("sleep 1235 > /dev/null", { detached: true, env: { PATH: process.env["PATH"] } }),
        (found) => pid = found
      ))
      expect(leak).toMatchObject({ kind: "process", what: `${pid}: sleep 1235` })
      expect(leak.message).toMatch(/parent +\d+ \(the one that started it has ended\)/)
      expect(leak.message).toMatch(here)
    }))

  it.live("that outlives the child that started it, known by its environment", () =>
    Effect.gen(function*() {
      let pid = 0
      const leak = yield* leakOf(Effect.map(shell("setsid sleep 1236 > /dev/null", {}), (found) => pid = found))
      expect(leak.what).toMatch(new RegExp(`^${pid}: .*sleep 1236$`))
    }))

  it.live("that was forked twice and made a session of its own, as a daemon does", () =>
    Effect.gen(function*() {
      let pid = 0
      const daemon = "setsid sh -c 'sleep 1244 > /dev/null 3>&- & echo $! >&3' 3>&1 > /dev/null"
      const leak = yield* leakOf(Effect.async<void>((resume) => {
        const child = ChildProcess.spawn("sh", ["-c", `${daemon} | cat`], { stdio: ["ignore", "pipe", "ignore"] })
        child.stdout.setEncoding("utf8").on("data", (told: string) => {
          pid = Number(told)
          undo.push(() => kill(pid))
        })
        child.on("close", () => resume(Effect.asVoid(asleep(pid))))
      }))
      expect(leak.what).toBe(`${pid}: sleep 1244`)
      expect(leak.message).toContain("the one that started it has ended")
    }))

  it.live("that was left by spawnSync, which no channel tells of", () =>
    Effect.gen(function*() {
      let pid = 0
      const leak = yield* leakOf(Effect.suspend(() => {
        pid = Number(ChildProcess.execSync("sleep 1237 > /dev/null 2>&1 & echo $!", { encoding: "utf8" }))
        undo.push(() => kill(pid))
        return asleep(pid)
      }))
      expect(leak.what).toBe(`${pid}: sleep 1237`)
    }))

  it.live("that was given no environment", () =>
    Effect.gen(function*() {
      const leak = yield* leakOf(Effect.sync(() => {
        remove(ChildProcess.spawn("/bin/sleep", ["1241"], { env: {} }), (child) => child.kill())
      }))
      expect(leak.what).toMatch(/sleep 1241$/)
    }))

  it.live("that a thread started", () =>
    Effect.gen(function*() {
      const spawn = "require('child_process').spawn('/bin/sleep', ['1242'], { env: {}, stdio: 'ignore' })"
      const { leaks } = yield* leaksOf(Effect.promise(async () => {
        const worker = new Worker(
          `const child = ${spawn}; require('worker_threads').parentPort.postMessage(child.pid)`,
          {
            eval: true
          }
        )
        const [pid] = await once(worker, "message") as [number]
        undo.push(() => worker.terminate(), () => kill(pid))
      }))
      expect(leaks.map(({ kind }) => kind)).toEqual(["worker", "process"])
    }))

  it.live("whose only trace was its parent, when that ends before the grace does", () =>
    Effect.gen(function*() {
      const leak = yield* leakOf(
        Effect.async<void>((resume) => {
          const child = ChildProcess.spawn("sh", ["-c", "env -i /bin/sleep 1243 > /dev/null & echo $!; read line"], {
            stdio: ["pipe", "pipe", "ignore"]
          })
          child.stdout.setEncoding("utf8").once("data", (pid: string) => {
            undo.push(() => kill(Number(pid)))
            resume(Effect.void)
            // after the first look, however long that takes
            setTimeout(() => child.stdin.end(), 20)
          })
        }),
        { grace: "800 millis" }
      )
      expect(leak.what).toMatch(/sleep 1243$/)
    }))

  it.live("and the child of that child", () =>
    Effect.gen(function*() {
      const { leaks, message } = yield* leaksOf(Effect.suspend(() => {
        const child = ChildProcess.spawn("sh", ["-c", "sleep 1238; true"], { stdio: "ignore", detached: true })
        undo.push(() => {
          if (child.pid !== undefined) process.kill(-child.pid, "SIGKILL")
          return once(child, "exit")
        })
        const children = Effect.sync(() => Fs.readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, "utf8"))
        return children.pipe(
          Effect.repeat({ until: (pids) => pids !== "", schedule: Schedule.spaced("5 millis") }),
          Effect.zipRight(children),
          Effect.flatMap((pids) => asleep(Number(pids)))
        )
      }))
      expect(leaks.map(({ what }) => what.replace(/^\d+: /, "")).toSorted(), message).toEqual([
        "sh -c sleep 1238; true",
        "sleep 1238"
      ])
    }))
})

describe("LeakCheck passes", () => {
  const clean: Record<string, Effect.Effect<unknown, unknown>> = {
    "fibers that are done, interrupted or of a scope that closed": Effect.scoped(Effect.gen(function*() {
      yield* Effect.forkScoped(Effect.never)
      yield* Effect.fork(Effect.never)
      const map = yield* FiberMap.make<string>()
      yield* FiberMap.run(map, "key", Effect.never)
      yield* Effect.forkDaemon(Effect.yieldNow())
      yield* Fiber.interrupt(yield* Effect.forkDaemon(Effect.never))
    })),
    "a ReadableStream that was read to its end": Effect.promise(async () => {
      for await (const _ of Stream.toReadableStream(Stream.range(1, 3))) { /* read */ }
    }),
    "timers that were cleared or have fired": Effect.promise(async () => {
      clearInterval(setInterval(() => {}, 1000))
      clearTimeout(setTimeout(() => {}, 1000))
      clearImmediate(setImmediate(() => {}))
      await new Promise((resolve) => setTimeout(resolve, 1))
    }),
    "timers, watchers and servers that keep nothing alive": Effect.gen(function*() {
      remove(setInterval(() => {}, 1000).unref(), clearInterval)
      remove(Fs.watch(Os.tmpdir(), { persistent: false }), (watcher) => watcher.close())
      yield* listen(remove(Net.createServer(), closed).unref())
    }),
    "servers and connections that were closed": Effect.gen(function*() {
      const server = Net.createServer((socket) => socket.end())
      const socket = yield* connect(yield* listen(server))
      socket.end().resume()
      yield* Effect.promise(() => closed(server))
    }),
    "the idle sockets of agents": Effect.gen(function*() {
      const server = Http.createServer((_, response) => response.end("well"))
      const port = yield* listen(server)
      yield* Effect.promise(() => fetch(`http://127.0.0.1:${port}`).then((response) => response.text()))
      yield* Effect.promise(() =>
        new Promise((resolve) =>
          Http.get({ port, host: "127.0.0.1" }, (response) => response.resume().on("end", resolve))
        )
      )
      yield* Effect.promise(() => closed(server))
    }),
    "a child that has ended, and its pipes": Effect.promise(() =>
      once(
        ChildProcess.spawn("cat", { stdio: "pipe" }).on("spawn", function(this: ChildProcess.ChildProcess) {
          this.stdin?.end()
        }),
        "close"
      )
    ),
    "a group that was killed": Effect.promise(async () => {
      const child = ChildProcess.spawn("sh", ["-c", "sleep 100 & sleep 100"], { detached: true, stdio: "ignore" })
      await once(child, "spawn")
      if (child.pid !== undefined) process.kill(-child.pid, "SIGKILL")
      await once(child, "exit")
    }),
    "watchers that were closed": Effect.sync(() => {
      Fs.watch(Os.tmpdir()).close()
      const file = Path.join(Os.tmpdir(), "leak-check-not-there")
      Fs.watchFile(file, () => {})
      Fs.unwatchFile(file)
    }),
    "a thread and ports that were closed": Effect.promise(async () => {
      const worker = new Worker("", { eval: true })
      await once(worker, "exit")
      const { port1, port2 } = new MessageChannel()
      port1.on("message", () => {})
      port2.close()
      await once(port1, "close")
    }),
    "a module that is loaded meanwhile": Effect.promise(() => import("./leak/vitest.config.js")),
    "the service behind esbuild, which goes with the process": Effect.promise(() => Esbuild.transform("1")),
    "the first touch of the standard streams": Effect.sync(() => {
      process.stdin.on("data", () => {}).pause()
      void process.stdout
      void process.stderr
    })
  }
  for (const [name, program] of Object.entries(clean)) {
    it.live(name, () => LeakCheck.check(program))
  }

  it.live("what was there before", () =>
    Effect.gen(function*() {
      remove(yield* Effect.forkDaemon(Effect.never), interrupt)
      remove(setInterval(() => {}, 1000), clearInterval)
      yield* listen(remove(Net.createServer(), closed))
      yield* Effect.sync(() =>
        remove(ChildProcess.spawn("sleep", ["1239"]), (child) => {
          child.kill()
          return once(child, "exit")
        })
      )
      yield* LeakCheck.check(Effect.sleep("1 millis"))
    }).pipe(Effect.tap(() => Effect.void)))

  it.effect("a program that has a TestClock, and waits for the end in real time", () =>
    Effect.gen(function*() {
      // and the fiber with which the TestClock warns
      const { leaks } = yield* leaksOf(
        Effect.forkDaemon(Effect.sleep("1 day")).pipe(Effect.map((fiber) => remove(fiber, interrupt)))
      )
      expect(leaks.map(({ kind }) => kind)).toEqual(["fiber", "fiber"])
    }))
})

describe("LeakCheck", () => {
  it.live("is not misled by something old that ends while something new of its kind begins", () =>
    Effect.scoped(Effect.gen(function*() {
      yield* LeakCheck.watchHandles
      const timer = setInterval(() => {}, 1000)
      const server = Net.createServer()
      yield* listen(server)
      const fiber = yield* Effect.forkDaemon(Effect.never)
      const child = ChildProcess.spawn("sleep", ["1240"])
      const { leaks, message } = yield* leaksOf(Effect.gen(function*() {
        clearInterval(timer)
        remove(setInterval(() => {}, 1000), clearInterval)
        yield* Effect.promise(() => closed(server))
        yield* listen(remove(Net.createServer(), closed))
        yield* Fiber.interrupt(fiber)
        remove(yield* Effect.forkDaemon(Effect.never), interrupt)
        child.kill()
        yield* Effect.promise(() => once(child, "close"))
        remove(ChildProcess.spawn("sleep", ["1240"]), (next) => {
          next.kill()
          return once(next, "exit")
        })
      }))
      expect(leaks.map(({ kind }) => kind).toSorted(), message).toEqual(["fiber", "process", "server", "timer"])
    })))

  it.live("waits as long as the grace for what is ending, and no longer than that takes", () =>
    Effect.gen(function*() {
      const ending = Effect.forkDaemon(Effect.sleep("60 millis"))
      const [took] = yield* Effect.timed(LeakCheck.check(ending, { grace: "10 seconds" }))
      expect(Duration.toMillis(took)).toBeGreaterThan(50)
      expect(Duration.toMillis(took)).toBeLessThan(2000)
      const { leaks } = yield* leaksOf(ending, { grace: "10 millis" })
      expect(leaks.length).toBe(1)
      yield* LeakCheck.check(ending) // 250 ms when nothing is said
    }))

  it.live("does not count the time that others take from what is ending", () =>
    Effect.gen(function*() {
      // five turns of the event loop, each of which something else holds up for 80 ms
      const ending = Effect.forkDaemon(Effect.repeatN(
        Effect.zipRight(
          Effect.sleep("1 millis"),
          Effect.sync(() => {
            for (const start = Date.now(); Date.now() - start < 80;);
          })
        ),
        4
      ))
      yield* LeakCheck.check(ending)
    }))

  it.live("does not tell of what is ignored", () =>
    Effect.gen(function*() {
      const plant = Effect.gen(function*() {
        remove(yield* Effect.forkDaemon(Effect.withSpan(Effect.never, "metrics")), interrupt)
        remove(setInterval(() => {}, 77), clearInterval)
      })
      yield* LeakCheck.check(plant, {
        ignore: ({ kind, spans, stack }) =>
          spans.includes("metrics") || (kind === "timer" && stack.some((frame) => frame.includes("LeakCheck.test")))
      })
      const leak = yield* leakOf(plant, { ignore: ({ spans }) => spans.includes("metrics") })
      expect(leak.what).toBe("setInterval, 77 ms")
    }))

  it.live("tells of a leak once, not again in the check around it", () =>
    Effect.gen(function*() {
      const inner = leaksOf(Effect.map(Effect.forkDaemon(Effect.never), (fiber) => remove(fiber, interrupt)))
      const { leaks } = yield* LeakCheck.check(inner)
      expect(leaks.length).toBe(1)
    }))

  it.live("tells of leaks also when the program fails, dies or is interrupted, and of that first", () =>
    Effect.gen(function*() {
      const plant = Effect.map(Effect.forkDaemon(Effect.never), (fiber) => void remove(fiber, interrupt))
      for (const end of [Effect.fail("of its own"), Effect.die("of its own"), Effect.interrupt]) {
        const exit = yield* Effect.exit(LeakCheck.check(Effect.zipRight(plant, end), { grace: "10 millis" }))
        if (Exit.isSuccess(exit)) throw new Error("it passed")
        const { cause } = exit
        expect(Cause.isSequentialType(cause) && Exit.isFailure(exit)).toBe(true)
        expect(Array.from(Cause.failures(cause)).some((error) => error instanceof LeakCheck.LeaksFound)).toBe(true)
        if (Cause.isSequentialType(cause)) {
          expect(cause.left).toEqual(Cause.isInterrupted(cause) ? cause.left : cause.left)
          expect(Cause.squash(cause.left)).not.toBeInstanceOf(LeakCheck.LeaksFound)
        }
      }
      // from outside, and while it waits
      const fiber = yield* Effect.fork(LeakCheck.check(Effect.zipRight(plant, Effect.never), { grace: "10 millis" }))
      yield* Effect.sleep("5 millis")
      const exit = yield* Fiber.interrupt(fiber)
      expect(Exit.isFailure(exit) && Array.from(Cause.failures(exit.cause)).length).toBe(1)
    }))

  it.live("passes the value and the failure of a program that is clean", () =>
    Effect.gen(function*() {
      expect(yield* LeakCheck.check(Effect.succeed(42))).toBe(42)
      expect(yield* Effect.flip(LeakCheck.check(Effect.fail("no")))).toBe("no")
    }))

  it.live("tells many of one kind from one line in one block", () =>
    Effect.gen(function*() {
      const { leaks, message } = yield* leaksOf(Effect.sync(() => {
        for (let i = 0; i < 5; i++) remove(setInterval(() => {}, 1000), clearInterval)
      }))
      expect(leaks.length).toBe(5)
      expect(message).toContain("5 leaks")
      expect(message).toContain("and 4 more like it")
      expect(message.match(/made at/g)?.length).toBe(1)
    }))

  it.live("finds what was unref'd when it was told to, and not what has ended or belongs to others", () =>
    Effect.gen(function*() {
      const { leaks, message } = yield* leaksOf(
        Effect.promise(async () => {
          remove(setInterval(() => {}, 1000).unref(), clearInterval)
          const worker = new Worker("setInterval(() => {}, 1000)", { eval: true })
          undo.push(() => worker.terminate())
          await once(worker, "online")
          worker.unref()
          clearInterval(setInterval(() => {}, 1000).unref())
          const server = Net.createServer((socket) => socket.end()).listen(0, "127.0.0.1").unref()
          await once(server, "listening")
          await closed(server)
        }),
        { unref: true }
      )
      expect(leaks.map(({ kind }) => kind).toSorted(), message).toEqual(["timer", "worker"])
      yield* LeakCheck.check(Effect.scoped(Effect.forkScoped(Effect.never)), { unref: true })
    }))

  it.live("finds no handles when it was told not to listen, but fibers", () =>
    Effect.gen(function*() {
      yield* LeakCheck.check(
        Effect.sync(() => void remove(setInterval(() => {}, 1000), clearInterval)),
        { handles: false }
      )
    }))
})

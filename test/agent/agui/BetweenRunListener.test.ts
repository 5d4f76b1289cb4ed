import { describe, expect } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import { it, leakFreeFile } from "holdfast/testing/vitest"
import type { AgentSignal } from "../../../src/agent/Agent.js"
import * as Content from "../../../src/domain/Content.js"
import { RunId } from "../../../src/domain/Ids.js"
import * as FaultyNetwork from "../../../src/testing/FaultyNetwork.js"
import { finished, message, type Run, start, started, task, until } from "./server.js"
import { connect, texts } from "./support.js"

leakFreeFile()

const reply = (run: Run, text: string) =>
  run.send(started(run.input), ...message(run.input.runId, `m${run.number}`, text), finished(run.input))

const isTask = (id: string) => (signal: AgentSignal) =>
  signal._tag === "Said" && signal.event.type === "Extension" &&
  JSON.stringify(signal.event.payload).includes(`"${id}"`)

const late = (runId: string, more: object = {}) => started({ runId, threadId: "thread-test" }, { ...more })
const over = (runId: string, more: object = {}) => finished({ runId, threadId: "thread-test" }, { ...more })

const options = (url: string) => ({ url, events: new URL("events", url).href })

describe("AG3 what an agent says between runs", () => {
  it.scopedLive("is heard from the connection on, and not from the first run on (ambient: events before it were lost)", () =>
    Effect.gen(function*() {
      const server = yield* start({})
      const agent = yield* connect(options(server.url))
      yield* until("somebody listens", () => server.listeners.length === 1)
      expect(server.listeners[0]?.path).toBe("/events/thread-test")
      server.say(task("t1"))
      expect(yield* agent.take(isTask("t1"))).toMatchObject({
        event: { type: "Extension", name: "task:completed", payload: { task_id: "t1", status: "completed" } }
      })
      expect(server.inputs).toHaveLength(0)
    }))

  it.scopedLive("is heard, too, from a server that was started anew and numbers its events from the beginning again", () =>
    Effect.gen(function*() {
      const again = JSON.stringify(task("t1"))
      const server = yield* start({
        events: ({ number, raw }) => {
          raw(`id: 1\ndata: ${number === 1 ? again : JSON.stringify(task("t2"))}\n\n`)
          // and what it tells again is what it was
          raw(`id: 2\ndata: ${number === 1 ? JSON.stringify(task("t3")) : again}\n\n`)
        }
      })
      const agent = yield* connect(options(server.url))
      yield* agent.take(isTask("t3"))
      server.listeners[0]?.cut()
      yield* agent.take(isTask("t2"))
      server.say(task("t4"))
      yield* agent.take(isTask("t4"))
      expect(agent.said.filter(isTask("t1"))).toHaveLength(1)
    }))

  it.scopedLive("is a run of its own when it is a turn, with the run that it comes from", () =>
    Effect.gen(function*() {
      const server = yield* start({ run: (run) => reply(run, "hello") })
      const agent = yield* connect(options(server.url))
      yield* agent.turn("hi")
      yield* until("somebody listens", () => server.listeners.length === 1)
      server.say(late("late-1", { parentRunId: "run_1" }), ...message("late-1", "lm1", "it is done"), over("late-1"))
      const opened = yield* agent.take((signal) => signal._tag === "RunOpened")
      expect(opened).toMatchObject({ parent: "run_1", until: "session", prompt: [] })
      const run = opened._tag === "RunOpened" ? opened.run : RunId.make("run_none")
      expect(yield* agent.ended(run)).toStrictEqual({ _tag: "Stopped", stopReason: "end_turn" })
      expect(agent.said).toContainEqual({
        _tag: "Said",
        run,
        event: { type: "TextChunk", text: "it is done", messageId: "lm1" }
      })
      // the agent itself knows what it said
      yield* agent.turn("and now?")
      expect(server.inputs[1]?.messages.map(({ id }) => id)).toContain("lm1")
    }))

  it.scopedLive("is told once when a run tells it, too (ambient: every viewer saw it twice)", () =>
    Effect.gen(function*() {
      const server = yield* start({
        run: (run) => {
          const notice = task("t1")
          const frames = [
            started(run.input),
            ...message(run.input.runId, "m1", "hel", "lo"),
            notice,
            { type: "CUSTOM", name: "hook:Stop", value: {} },
            finished(run.input)
          ]
          server.say(...frames)
          run.send(...frames)
          // and once more, without the run around it
          server.say(notice, { type: "TEXT_MESSAGE_CONTENT", messageId: "m1", delta: "" }, task("t2"))
        }
      })
      const agent = yield* connect(options(server.url))
      yield* until("somebody listens", () => server.listeners.length === 1)
      yield* agent.turn("hi")
      yield* agent.has(isTask("t2"))
      expect(agent.said.filter(isTask("t1"))).toHaveLength(1)
      expect(agent.said.filter((signal) => signal._tag === "RunOpened")).toHaveLength(0)
      expect(texts(agent.events())).toStrictEqual(["hello"])
      expect(agent.events().filter((event) => event.type === "Extension" && event.name === "hook:Stop")).toHaveLength(1)
    }))

  it.scopedLive("is told once when it comes again after a cut, from the start or from where it was", () =>
    Effect.gen(function*() {
      const history = [late("l1"), ...message("l1", "m1", "one"), over("l1"), task("t1")]
      const server = yield* start({
        events: (listener) => {
          // the whole history each time, with what has come in the meantime
          listener.send(...history, ...listener.number === 1 ? [] : [task("t2")])
          if (listener.number === 1) listener.end()
        }
      })
      const agent = yield* connect(options(server.url))
      yield* agent.take(isTask("t2"))
      expect(server.listeners).toHaveLength(2)
      expect(texts(agent.events())).toStrictEqual(["one"])
      expect(agent.said.filter(isTask("t1"))).toHaveLength(1)
      expect(agent.said.filter(({ _tag }) => _tag === "RunOpened")).toHaveLength(1)

      const stored = [1, 2, 3].map((id) => JSON.stringify(task(`n${id}`)))
      const numbered = yield* start({
        events: ({ last, number, raw }) => {
          const frame = (id: number) => `id: ${id}\ndata: ${stored[id - 1]}\n\n`
          // one that was sent already comes again, on the same connection, too
          if (number === 1) raw(`retry: 1\n${frame(1)}${frame(2)}${frame(2)}: the end\n\n`)
          else raw(`${frame(Number(last))}${frame(Number(last) + 1)}`)
        }
      })
      const network = yield* FaultyNetwork.make({ port: numbered.port })
      const other = yield* connect(options(network.url))
      yield* other.take(isTask("n2"))
      yield* network.cut
      yield* other.take(isTask("n3"))
      expect(numbered.listeners[1]?.last).toBe("2")
      expect(other.said.filter(isTask("n2"))).toHaveLength(1)
    }))

  it.scopedLive("that breaks off in the middle of a run loses that run, and says so", () =>
    Effect.gen(function*() {
      const server = yield* start({
        events: (listener) => {
          if (listener.number > 1) return listener.raw(": heartbeat\n\n")
          listener.send(late("l1"), ...message("l1", "m1", "partly"))
        }
      })
      const agent = yield* connect(options(server.url))
      const opened = yield* agent.take((signal) => signal._tag === "RunOpened")
      if (opened._tag !== "RunOpened") return
      // a reset overtakes what is on its way
      server.listeners[0]?.cut()
      expect(yield* agent.ended(opened.run)).toMatchObject({ _tag: "Failed", error: { _tag: "AgentLost" } })
    }))

  it.scopedLive("may be a question, whose answer is posted", () =>
    Effect.gen(function*() {
      const server = yield* start({ run: (run) => reply(run, "thanks") })
      const agent = yield* connect(options(server.url))
      yield* until("somebody listens", () => server.listeners.length === 1)
      const interrupts = [{ id: "i1", reason: "confirmation", message: "Shall I?" }]
      server.say(late("l1"), over("l1", { outcome: { type: "interrupt", interrupts } }))
      const asked = yield* agent.take((signal) => signal._tag === "Asked")
      if (asked._tag !== "Asked" || asked.run === undefined) return expect.fail("it has no run")
      yield* asked.reply(Option.some({ action: "accept" }))
      yield* agent.ended(asked.run)
      expect(server.inputs[0]).toMatchObject({
        resume: [{ interruptId: "i1", status: "resolved", payload: { approved: true } }]
      })
    }))
})

describe("the listener", () => {
  it.scopedLive("SM5 dials again after a clean end, and not at once (ambient: a tight loop, which gave up after 30)", () =>
    Effect.gen(function*() {
      const server = yield* start({
        events: (listener) => {
          listener.raw("retry: 20\n\n")
          listener.end()
        }
      })
      const begun = performance.now()
      yield* connect(options(server.url))
      yield* until("it was dialed three times", () => server.listeners.length === 3)
      // each wait is at least what the server asked for
      expect(performance.now() - begun).toBeGreaterThan(38)
    }))

  it.scopedLive("SM7 finds a peer that is gone without closing the connection (ambient: it read for ever)", () =>
    Effect.gen(function*() {
      const server = yield* start({
        events: (listener) => {
          listener.raw("retry: 1\n\n")
          listener.send(task(`hello ${listener.number}`))
        }
      })
      const network = yield* FaultyNetwork.make({ port: server.port })
      const agent = yield* connect({ ...options(network.url), eventsIdle: Duration.seconds(1) })
      // heard, and not only said: a dial whose answer is held up has another deadline
      yield* agent.take(isTask("hello 1"))
      yield* network.stall
      yield* until("it was dialed again", () => server.sockets.size > 1)
      yield* network.resume
      yield* until("somebody listens again", () => server.listeners.length >= 2)
      server.say(task("t1"))
      yield* agent.take(isTask("t1"))
    }))

  it.scopedLive("SM1 ends with its connection, dialing or waiting or connected (ambient: it was never cancelled)", () =>
    Effect.gen(function*() {
      const server = yield* start({
        events: (listener) => {
          // the first is answered, the second hangs in its dial, the third was refused and waits
          if (listener.number === 1) listener.raw(": heartbeat\n\n")
          if (listener.number === 3) listener.refuse(500, {}, "")
        }
      })
      for (const number of [1, 2, 3]) {
        const scope = yield* Scope.make()
        yield* Scope.extend(connect(options(server.url)), scope)
        yield* until("somebody listens", () => server.listeners.length === number)
        yield* Scope.close(scope, Exit.void)
        yield* until("nobody listens", () => server.sockets.size === 0)
      }
    }))

  it.scopedLive("SM1 ends with its connection also when nobody takes what it heard, and there is a run whose end is to be told", () =>
    Effect.gen(function*() {
      const server = yield* start({})
      const scope = yield* Scope.make()
      const { signals } = yield* Scope.extend(connect(options(server.url)), scope)
      yield* until("somebody listens", () => server.listeners.length === 1)
      server.say(late("late-1"), ...Array.from({ length: 3000 }, (_, n) => task(`t${n}`)))
      yield* until("there is no room", () => "full" in signals && typeof signals.full === "function" && signals.full())
      yield* Scope.close(scope, Exit.void)
    }))

  it.scopedLive("is one a connection, however often its session is restarted (ambient: an old one went on beside it)", () =>
    Effect.gen(function*() {
      const server = yield* start({})
      for (const _ of [1, 2, 3]) {
        yield* Effect.scoped(Effect.zipRight(
          connect(options(server.url)),
          until("exactly one listens", () => server.listeners.filter((listener) => !listener.isClosed()).length === 1)
        ))
      }
    }))

  it.scopedLive("says once that there is no such endpoint, and leaves it alone", () =>
    Effect.gen(function*() {
      const server = yield* start({
        run: (run) => reply(run, "hello"),
        events: ({ refuse }) => refuse(404, {}, "no such thread")
      })
      const agent = yield* connect(options(server.url))
      const warning = yield* agent.take((signal) => signal._tag === "Said")
      expect(warning).toMatchObject({
        event: {
          type: "Warning",
          message: expect.stringMatching(/^what the agent says between runs is not heard: .* answered 404/),
          detail: "no such thread"
        }
      })
      yield* Effect.sleep("50 millis")
      expect(server.listeners).toHaveLength(1)
      // runs are no matter of it
      expect(yield* agent.turn("hi")).toMatchObject({ _tag: "Stopped" })
      expect(agent.events().filter(({ type }) => type === "Warning")).toHaveLength(1)
    }))

  it.scopedLive("says once that it is refused, and goes on trying", () =>
    Effect.gen(function*() {
      const server = yield* start({
        events: (listener) => {
          if (listener.number < 3) listener.refuse(503, {}, "not yet")
          else listener.send(task("t1"))
        }
      })
      const agent = yield* connect(options(server.url))
      yield* agent.take(isTask("t1"))
      expect(agent.events().filter(({ type }) => type === "Warning")).toHaveLength(1)
    }))

  it.scopedLive("takes a line that is no event for a warning, and goes on", () =>
    Effect.gen(function*() {
      const server = yield* start({
        events: ({ raw, send }) => {
          raw("data: {\"type\":\"A\"}{\"type\":\"B\"}\n\ndata: 7\n\ndata: {\"type\":\"NEWER\",\"x\":1}\n\n")
          send(task("t1"))
        }
      })
      const agent = yield* connect(options(server.url))
      yield* agent.take(isTask("t1"))
      expect(agent.events()).toMatchObject([
        { type: "Warning", message: "between runs the agent sent a line that is not JSON" },
        { type: "Extension", name: "agui.NEWER", payload: { type: "NEWER", x: 1 } },
        { type: "Extension", name: "task:completed" }
      ])
    }))

  it.scopedLive("hears a run of ours under the name that the agent gives it, and does not tell it again", () =>
    Effect.gen(function*() {
      const server = yield* start({
        run: (run) => {
          const frames = [late("theirs"), ...message("theirs", "m1", "hello"), over("theirs")]
          // heard between runs first
          server.say(...frames)
          setTimeout(() => run.send(...frames), 50)
        }
      })
      const agent = yield* connect(options(server.url))
      yield* until("somebody listens", () => server.listeners.length === 1)
      yield* agent.prompt(RunId.make("run_9"), [Content.text("hi")])
      yield* agent.ended("run_9")
      server.say(task("t1"))
      yield* agent.take(isTask("t1"))
      expect(texts(agent.events())).toStrictEqual(["hello"])
      expect(agent.said.some(({ _tag }) => _tag === "RunOpened")).toBe(false)
    }))
})

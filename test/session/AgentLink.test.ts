import { describe, expect, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Mailbox from "effect/Mailbox"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import * as TestClock from "effect/TestClock"
import { leakFreeFile } from "holdfast/testing/vitest"
import type { AgentConnection, AgentSignal } from "../../src/agent/Agent.js"
import { AgentDied, type AgentError } from "../../src/domain/Errors.js"
import * as StreamManager from "../../src/lifecycle/StreamManager.js"
import * as AgentLink from "../../src/session/AgentLink.js"

leakFreeFile()

const died = new AgentDied({ exitCode: 3, signal: null, stderr: "boom", message: "the agent died: exit code 3" })

/** A link to agents that take a second to be gone, and what is heard of them. */
const setup = Effect.fnUntraced(function*(options: {
  readonly dial?: (attempt: number) => Effect.Effect<void, AgentError, Scope.Scope>
  readonly connected?: (attempt: number) => Effect.Effect<void>
  readonly handle?: Effect.Effect<void>
} = {}) {
  const heard: Array<string> = []
  const hear = (what: string) => Effect.sync(() => void heard.push(what))
  const mailboxes: Array<Mailbox.Mailbox<AgentSignal, AgentError>> = []
  let attempt = 0
  const dial = Effect.gen(function*() {
    const name = `agent ${++attempt}`
    yield* Effect.acquireRelease(
      hear(`${name} started`),
      () => Effect.zipRight(Effect.sleep("1 second"), hear(`${name} is gone`))
    )
    yield* options.dial?.(attempt) ?? Effect.void
    const signals = yield* Mailbox.make<AgentSignal, AgentError>()
    mailboxes.push(signals)
    const connection: AgentConnection = {
      agentSessionId: name,
      how: "opened",
      replayed: [],
      signals,
      prompt: () => Effect.void,
      cancel: Effect.void,
      setMode: () => Effect.void,
      setConfigOption: () => Effect.void
    }
    return connection
  })
  const scope = yield* Scope.make()
  const link = AgentLink.make({
    streams: yield* Scope.extend(StreamManager.make, scope),
    key: "ses_1",
    dial,
    connected: (connection) =>
      Effect.zipRight(options.connected?.(attempt) ?? Effect.void, hear(`${connection.agentSessionId} connected`)),
    handle: () => options.handle ?? Effect.void,
    disconnected: ({ error, reason }) => hear(`disconnected: ${Option.isSome(error) ? error.value._tag : reason}`)
  })
  yield* Scope.addFinalizer(scope, link.close)
  const name = Effect.map(link.get, ({ agentSessionId }) => agentSessionId)
  const close = Scope.close(scope, Exit.void)
  yield* Effect.addFinalizer(() => Effect.zipRight(Effect.fork(close), TestClock.adjust("10 seconds")))
  return {
    heard,
    link,
    name,
    signals: Effect.suspend(() => Effect.fromNullable(mailboxes.at(-1))),
    close
  }
})

describe("AgentLink", () => {
  it.scoped("many who want the agent share one", () =>
    Effect.gen(function*() {
      const { heard, name } = yield* setup()
      expect(yield* Effect.all([name, name, name], { concurrency: "unbounded" })).toStrictEqual([
        "agent 1",
        "agent 1",
        "agent 1"
      ])
      expect(heard).toStrictEqual(["agent 1 started", "agent 1 connected"])
    }))

  it.scoped("whoever comes while it closes gets the next one, which starts when nothing is left of it", () =>
    Effect.gen(function*() {
      const { heard, name, signals } = yield* setup()
      yield* name
      yield* Effect.flatMap(signals, (signals) => signals.fail(died))
      yield* Effect.yieldNow()
      yield* TestClock.adjust("10 millis")
      const next = yield* Effect.fork(name)
      yield* TestClock.adjust("1 second")
      expect(yield* Fiber.join(next)).toBe("agent 2")
      expect(heard).toStrictEqual([
        "agent 1 started",
        "agent 1 connected",
        "agent 1 is gone",
        "disconnected: AgentDied",
        "agent 2 started",
        "agent 2 connected"
      ])
    }))

  it.scoped("the same while it is dropped, also when it was dropped before it could say that it is ready", () =>
    Effect.gen(function*() {
      const gate = yield* Deferred.make<void>()
      const { heard, link, name } = yield* setup({
        connected: (attempt) => attempt === 1 ? Deferred.await(gate) : Effect.void
      })
      const first = yield* Effect.fork(name)
      yield* TestClock.adjust("10 millis")
      const dropping = yield* Effect.fork(link.drop("enough"))
      yield* TestClock.adjust("10 millis")
      yield* Deferred.succeed(gate, void 0)
      const next = yield* Effect.fork(name)
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(dropping)
      expect(yield* Effect.flip(Fiber.join(first))).toMatchObject({ message: "the agent is gone: enough" })
      expect(yield* Fiber.join(next)).toBe("agent 2")
      expect(heard.slice(2, 4)).toStrictEqual(["agent 1 is gone", "disconnected: enough"])
    }))

  it.scoped("AG2 an agent that closes its connection without a word is gone all the same, and told so", () =>
    Effect.gen(function*() {
      const { heard, name, signals } = yield* setup()
      yield* name
      yield* Effect.flatMap(signals, (signals) => signals.end)
      yield* TestClock.adjust("1 second")
      expect(heard.at(-1)).toBe("disconnected: it closed its connection")
    }))

  it.scoped("a defect of the one who listens ends the connection, and the next one is dialed", () =>
    Effect.gen(function*() {
      const { heard, name, signals } = yield* setup({ handle: Effect.die("a bug") })
      yield* name
      yield* Effect.flatMap(
        signals,
        (signals) => signals.offer({ _tag: "Said", event: { type: "TextChunk", text: "hi" } })
      )
      yield* TestClock.adjust("1 second")
      expect(heard.at(-1)).toContain("internal error")
      expect(yield* name).toBe("agent 2")
    }))

  it.scoped("a defect of the driver while it closes hides no end", () =>
    Effect.gen(function*() {
      const { heard, name, signals } = yield* setup({
        dial: (attempt) => attempt === 1 ? Effect.addFinalizer(() => Effect.die("a bug")) : Effect.void
      })
      yield* name
      yield* Effect.flatMap(signals, (signals) => signals.end)
      yield* TestClock.adjust("1 second")
      expect(heard.slice(2)).toStrictEqual([
        "agent 1 is gone",
        "disconnected: an internal error; the log has the cause"
      ])
      expect(yield* name).toBe("agent 2")
    }))

  it.scoped("a dial that fails tells all who wait, and is not remembered", () =>
    Effect.gen(function*() {
      const { heard, link, name } = yield* setup({ dial: (attempt) => attempt === 1 ? Effect.fail(died) : Effect.void })
      const first = yield* Effect.fork(Effect.flip(link.get))
      yield* TestClock.adjust("1 second")
      expect((yield* Fiber.join(first)).message).toBe(died.message)
      expect(yield* name).toBe("agent 2")
      expect(heard[2]).toBe("disconnected: AgentDied")
    }))

  it.scoped("interrupting the one who dials does not stop the dial: it is the session's", () =>
    Effect.gen(function*() {
      const gate = yield* Deferred.make<void>()
      const { heard, name } = yield* setup({ dial: () => Deferred.await(gate) })
      const first = yield* Effect.fork(name)
      yield* TestClock.adjust("10 millis")
      yield* Fiber.interrupt(first)
      const second = yield* Effect.fork(name)
      yield* Deferred.succeed(gate, void 0)
      expect(yield* Fiber.join(second)).toBe("agent 1")
      expect(heard).toStrictEqual(["agent 1 started", "agent 1 connected"])
    }))

  it.scoped("AG1 closing the scope ends connection or dial, and afterwards nothing is started and nothing told", () =>
    Effect.gen(function*() {
      for (const dial of [Effect.void, Effect.never]) {
        const { close, heard, name } = yield* setup({ dial: () => dial })
        const first = yield* Effect.fork(Effect.exit(name))
        yield* TestClock.adjust("10 millis")
        const closing = yield* Effect.fork(close)
        yield* TestClock.adjust("1 second")
        yield* Fiber.join(closing)
        yield* Fiber.join(first)
        expect(heard.slice(-2)).toStrictEqual(["agent 1 is gone", "disconnected: the session's scope was closed"])
        const before = heard.length
        expect((yield* Effect.flip(name))._tag).toBe("AgentDied")
        expect(heard).toHaveLength(before)
      }
    }))
})

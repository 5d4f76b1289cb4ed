import { describe, expect, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/TestClock"
import { leakFreeFile } from "holdfast/testing/vitest"
import * as Content from "../../src/domain/Content.js"
import { AgentDied } from "../../src/domain/Errors.js"
import { type RunId, SessionId } from "../../src/domain/Ids.js"
import * as RunStream from "../../src/session/RunStream.js"
import * as ScriptedAgent from "../../src/testing/ScriptedAgent.js"
import * as Harness from "./Harness.js"

leakFreeFile()

const died = new AgentDied({ exitCode: 3, signal: null, stderr: "boom", message: "the agent died: exit code 3" })
const confirmation = { kind: "confirmation", message: "Go on?" } as const

/** `hang` waits for its cancellation; everything else is over at once. An agent takes a second to be gone. */
const script: ScriptedAgent.Options = {
  onConnect: () => Effect.addFinalizer(() => Effect.sleep("1 second")),
  turn: ({ content, say }) =>
    Effect.zipRight(
      say({ type: "TextChunk", text: "on it" }),
      Content.toText(content) === "hang" ? Effect.never : Effect.void
    )
}

/** Runs an Effect that waits for the clock. */
const within = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.gen(function*() {
    const fiber = yield* Effect.fork(effect)
    yield* Effect.repeatN(TestClock.adjust("1 second"), 9)
    return yield* Fiber.join(fiber)
  })

const setup = Effect.fnUntraced(function*(options: Partial<ScriptedAgent.Options> = {}) {
  const faulty = yield* Harness.faultyLog
  const agent = yield* ScriptedAgent.make({ ...script, ...options })
  const scope = yield* Scope.make()
  const harness = yield* Scope.extend(Harness.over(faulty.log, [agent]), scope)
  const shutdown = Scope.close(scope, Exit.void)
  yield* Effect.addFinalizer(() => within(shutdown))
  return { ...harness, fail: faulty.fail, agent, shutdown }
})

const labelsOf = (events: ReadonlyArray<Parameters<typeof Harness.label>[0]>, runId: RunId) =>
  events.filter((stored) => stored.runId === runId).map(Harness.label)

describe("a log that does not take everything", () => {
  it.scoped("RS1 the end of a run is recorded as soon as it can be, and the session goes on", () =>
    Effect.gen(function*() {
      const { fail, finish, history, open, prompt, sessions } = yield* setup()
      const id = yield* open
      yield* fail("RunEnded")
      const first = yield* prompt(id)
      yield* TestClock.adjust("10 seconds")
      expect(yield* Effect.flip(prompt(id))).toMatchObject({ _tag: "EventLogUnavailable" })
      yield* fail(false)
      yield* TestClock.adjust("10 seconds")
      expect((yield* finish(id, first)).map(Harness.label).at(-1)).toBe("RunEnded(Completed)")
      const second = yield* prompt(id)
      yield* finish(id, second)
      const all = yield* history(id)
      for (const { runId } of [first, second]) {
        expect(labelsOf(all, runId)).toStrictEqual(["RunStarted", "TextChunk", "RunEnded(Completed)"])
      }
      expect((yield* sessions.get(id)).status).toBe("idle")
    }))

  it.scoped("AG2 a run ends with its agent, also when nothing of it can be recorded", () =>
    Effect.gen(function*() {
      const { agent, fail, finish, open, prompt, seen } = yield* setup()
      const id = yield* open
      const run = yield* prompt(id, "hang")
      yield* seen(id, "TextChunk")
      yield* fail(true)
      const [voice] = yield* agent.live
      yield* voice?.die(died) ?? Effect.void
      yield* TestClock.adjust("1 minute")
      yield* fail(false)
      yield* TestClock.adjust("10 seconds")
      expect((yield* finish(id, run)).map(Harness.label).at(-1)).toBe("RunEnded(Failed)")
    }))

  it.scoped("AG2 the same when what the agent says is what cannot be recorded", () =>
    Effect.gen(function*() {
      const { agent, fail, finish, open, prompt } = yield* setup()
      const id = yield* open
      const [voice] = yield* agent.live
      yield* fail("TextChunk")
      const run = yield* prompt(id, "hang")
      const ended = yield* within(finish(id, run))
      expect(ended.map(Harness.label)).toStrictEqual(["RunStarted", "RunEnded(Failed)"])
      expect(yield* agent.live).not.toContain(voice)
    }))

  it.scoped("RS1 a queued run that cannot start is dropped and told so, and so are those behind it", () =>
    Effect.gen(function*() {
      const { fail, finish, open, prompt, seen, sessions } = yield* setup()
      const id = yield* open
      yield* prompt(id, "hang")
      yield* seen(id, "TextChunk")
      const queued = yield* Effect.forEach(["a", "b"], (text) => prompt(id, text, "queue"))
      yield* fail("RunStarted")
      const [first] = queued
      // only the one that is open
      const { run } = yield* sessions.get(id)
      yield* sessions.cancel(id, run)
      for (const each of queued) {
        expect((yield* within(finish(id, each))).map(Harness.label)).toStrictEqual(["RunQueued", "RunDropped"])
      }
      yield* fail(false)
      yield* Effect.flatMap(prompt(id), (run) => finish(id, run))
      expect(first?.runId).not.toBe(run)
    }))

  it.scoped("a cancel needs no log", () =>
    Effect.gen(function*() {
      const { fail, finish, history, open, prompt, seen, sessions } = yield* setup()
      const id = yield* open
      const run = yield* prompt(id, "hang")
      yield* seen(id, "TextChunk")
      yield* prompt(id, "later", "queue")
      yield* fail(true)
      yield* sessions.cancel(id)
      yield* TestClock.adjust("10 seconds")
      yield* fail(false)
      yield* within(finish(id, run))
      const told = (yield* history(id)).map(Harness.label)
      expect(told.filter((label) => label === "RunDropped")).toHaveLength(1)
      expect(told.filter((label) => label === "RunEnded(Cancelled)")).toHaveLength(1)
    }))

  it.scoped("EB2 the end of a question is recorded in any case", () =>
    Effect.gen(function*() {
      const { asked, fail, finish, open, prompt, sessions, types } = yield* setup({
        turn: ({ ask }) => Effect.asVoid(ask(confirmation))
      })
      const id = yield* open
      const run = yield* prompt(id)
      const question = yield* asked(id)
      yield* fail(true)
      yield* sessions.answer(id, question, { action: "accept" })
      yield* TestClock.adjust("1 minute")
      yield* fail(false)
      yield* within(finish(id, run))
      expect((yield* types(id)).slice(-2)).toStrictEqual(["ElicitationSettled", "RunEnded(Completed)"])
      expect(yield* sessions.get(id)).toMatchObject({ status: "idle", pending: 0 })
    }))

  it.scoped("a restart that was begun is ended", () =>
    Effect.gen(function*() {
      const { fail, open, sessions } = yield* setup()
      const id = yield* open
      yield* fail("AgentRestarted")
      yield* within(Effect.flatten(sessions.restart(id, "requested")))
      expect((yield* sessions.get(id)).status).toBe("restarting")
      yield* fail(false)
      yield* TestClock.adjust("10 seconds")
      expect((yield* sessions.get(id)).status).toBe("idle")
    }))

  it.scoped("a close that cannot be recorded leaves nothing alive, and can be asked for again", () =>
    Effect.gen(function*() {
      const { agent, asked, fail, open, prompt, sessions, types } = yield* setup({
        turn: ({ ask }) => Effect.asVoid(ask(confirmation))
      })
      const id = yield* open
      yield* prompt(id)
      yield* prompt(id, "later", "queue")
      yield* asked(id)
      yield* fail(true)
      expect((yield* within(Effect.flip(sessions.close(id))))._tag).toBe("EventLogUnavailable")
      expect(yield* agent.live).toStrictEqual([])
      yield* fail(false)
      yield* sessions.close(id)
      expect((yield* types(id)).slice(-5).sort()).toStrictEqual([
        "AgentDisconnected",
        "ElicitationSettled",
        "RunDropped",
        "RunEnded(Lost)",
        "SessionClosed"
      ])
      expect(yield* sessions.get(id)).toMatchObject({ status: "closed", pending: 0 })
    }))

  it.scoped("a shutdown over a log that is gone leaves nothing alive", () =>
    Effect.gen(function*() {
      const { agent, asked, fail, open, prompt, shutdown } = yield* setup({
        turn: ({ ask }) => Effect.asVoid(ask(confirmation))
      })
      const id = yield* open
      yield* prompt(id)
      yield* asked(id)
      yield* fail(true)
      yield* within(shutdown)
      expect(yield* agent.live).toStrictEqual([])
    }))
})

describe("ends that cross", () => {
  it.scoped("RS2 a session that is closed while its run starts the agent: the agent is gone before RunEnded", () =>
    Effect.gen(function*() {
      const { agent, finish, history, open, prompt, seen, sessions } = yield* setup({
        onConnect: ({ attempt }) =>
          Effect.zipRight(
            Effect.addFinalizer(() => Effect.sleep("1 second")),
            attempt === 1 ? Effect.void : Effect.never
          )
      })
      const id = yield* open
      const [voice] = yield* agent.live
      yield* voice?.die(died) ?? Effect.void
      yield* TestClock.adjust("1 second")
      yield* seen(id, "AgentDisconnected")
      const run = yield* prompt(id)
      yield* TestClock.adjust("1 second")
      expect(yield* agent.live).toHaveLength(1)
      const ended = yield* Effect.fork(Effect.zipRight(finish(id, run), agent.live))
      yield* within(sessions.close(id))
      expect(yield* Fiber.join(ended)).toStrictEqual([])
      expect((yield* history(id)).slice(-5).map(Harness.label)).toStrictEqual([
        "RunStarted",
        "AgentRestartFailed",
        "AgentDisconnected",
        "RunEnded(Cancelled)",
        "SessionClosed"
      ])
    }))

  it.scoped("a prompt that comes while a dead agent is still closing gets the next one", () =>
    Effect.gen(function*() {
      const { agent, finish, history, open, prompt } = yield* setup()
      const id = yield* open
      const [voice] = yield* agent.live
      yield* voice?.die(died) ?? Effect.void
      yield* TestClock.adjust("10 millis")
      const run = yield* prompt(id)
      expect((yield* within(finish(id, run))).map(Harness.label).at(-1)).toBe("RunEnded(Completed)")
      expect((yield* history(id)).map(Harness.label)).toStrictEqual([
        "SessionOpened",
        "AgentConnected",
        "RunStarted",
        "AgentDisconnected",
        "AgentRestarting",
        "AgentConnected",
        "Warning",
        "AgentRestarted",
        "TextChunk",
        "RunEnded(Completed)"
      ])
    }))

  it.scoped("a session that is closed while it is created: the creator hears of it, and nothing is left", () =>
    Effect.gen(function*() {
      const connecting = yield* Deferred.make<void>()
      const { agent, sessions, types } = yield* setup({
        onConnect: () => Effect.zipRight(Deferred.succeed(connecting, void 0), Effect.never)
      })
      const creating = yield* Effect.fork(Effect.flip(sessions.create({ agent: "scripted" })))
      yield* Deferred.await(connecting)
      const [session] = yield* sessions.list({ status: Option.none(), after: Option.none(), limit: 1 })
      const id = session?.id ?? SessionId.make("ses_none")
      yield* within(sessions.close(id))
      expect((yield* Fiber.join(creating))._tag).toBe("AgentDied")
      expect(yield* agent.live).toStrictEqual([])
      expect(yield* types(id)).toStrictEqual(["SessionOpened", "AgentDisconnected", "SessionClosed"])
    }))

  it.scoped("a session that is closed while it restarts: the restart is ended, its waiters hear, nothing is left", () =>
    Effect.gen(function*() {
      const { agent, open, seen, sessions, types } = yield* setup({
        onConnect: ({ attempt }) => attempt === 1 ? Effect.void : Effect.never
      })
      const id = yield* open
      const waits = yield* Effect.replicateEffect(sessions.restart(id, "requested"), 2)
      const waiting = yield* Effect.fork(Effect.forEach(waits, Effect.flip, { concurrency: "unbounded" }))
      yield* seen(id, "AgentDisconnected")
      yield* TestClock.adjust("1 second")
      yield* within(sessions.close(id))
      expect((yield* Fiber.join(waiting)).map(({ _tag }) => _tag)).toStrictEqual(["SessionClosed", "SessionClosed"])
      expect(yield* agent.live).toStrictEqual([])
      const told = yield* types(id)
      expect(told.filter((type) => type === "AgentRestartFailed")).toHaveLength(1)
      expect(told.at(-1)).toBe("SessionClosed")
    }))

  it.scoped("RS1 a restart ends the open run once, with its agent, before the next one starts", () =>
    Effect.gen(function*() {
      const { agent, asked, open, prompt, sessions, types } = yield* setup({
        turn: ({ ask }) => Effect.asVoid(ask(confirmation))
      })
      const id = yield* open
      yield* prompt(id)
      yield* asked(id)
      yield* within(Effect.flatten(sessions.restart(id, "requested")))
      expect((yield* types(id)).slice(4)).toStrictEqual([
        "AgentRestarting",
        "ElicitationSettled",
        "AgentDisconnected",
        "RunEnded(Cancelled)",
        "AgentConnected",
        "Warning",
        "AgentRestarted"
      ])
      expect(yield* agent.live).toHaveLength(1)
    }))

  it.scoped("a session that is used while Holdfast shuts down leaves nothing, and after it starts nothing", () =>
    Effect.gen(function*() {
      const { agent, log, open, prompt, sessions, shutdown } = yield* setup()
      const id = yield* open
      // of an earlier life
      const asleep = yield* within(Effect.scoped(
        Effect.flatMap(Harness.over(log, [agent]), ({ open }) => open)
      ))
      const closing = yield* Effect.fork(shutdown)
      yield* Effect.yieldNow()
      const late = Effect.all([
        Effect.isSuccess(sessions.create({ agent: "scripted" })),
        Effect.isSuccess(prompt(id)),
        Effect.isSuccess(prompt(asleep)),
        Effect.isSuccess(sessions.setMode(asleep, "fast"))
      ], { concurrency: "unbounded" })
      yield* within(late)
      yield* Fiber.join(closing)
      expect(yield* agent.live).toStrictEqual([])
      const connects = yield* agent.connects
      expect(yield* within(late)).not.toContain(true)
      expect(yield* agent.connects).toBe(connects)
      expect((yield* log.state(id)).run).toBeNull()
      expect((yield* log.state(asleep)).run).toBeNull()
    }))

  it.scoped("a close that meets a shutdown is a close", () =>
    Effect.gen(function*() {
      const { log, open, prompt, seen, sessions, shutdown } = yield* setup()
      const id = yield* open
      yield* prompt(id, "hang")
      yield* seen(id, "TextChunk")
      const down = yield* Effect.fork(shutdown)
      yield* TestClock.adjust("10 millis")
      yield* within(sessions.close(id))
      yield* Fiber.join(down)
      expect(yield* log.state(id)).toMatchObject({ phase: "closed", run: null })
    }))

  it.scoped("a shutdown waits for the closes that are under way", () =>
    Effect.gen(function*() {
      const { agent, open, sessions, shutdown } = yield* setup()
      const id = yield* open
      const closing = yield* Effect.fork(sessions.close(id))
      yield* TestClock.adjust("10 millis")
      expect(yield* within(Effect.zipRight(shutdown, agent.live))).toStrictEqual([])
      yield* Fiber.join(closing)
    }))

  it.scoped("a close goes on when the one who asked for it leaves", () =>
    Effect.gen(function*() {
      const { agent, open, sessions } = yield* setup()
      const id = yield* open
      const closing = yield* Effect.fork(sessions.close(id))
      yield* TestClock.adjust("10 millis")
      yield* within(Fiber.interrupt(closing))
      expect((yield* sessions.get(id)).status).toBe("closed")
      expect(yield* agent.live).toStrictEqual([])
    }))

  it.scoped("EB4 a turn that was told to stop gets no more questions through", () =>
    Effect.gen(function*() {
      const stopping = yield* Deferred.make<void>()
      const { finish, open, prompt, seen, sessions, types } = yield* setup({
        ignoresCancel: true,
        turn: ({ ask, say }) =>
          say({ type: "TextChunk", text: "working" }).pipe(
            Effect.zipRight(Deferred.await(stopping)),
            Effect.zipRight(ask(confirmation)),
            Effect.map((answer) => Option.isNone(answer) ? "cancelled" : "end_turn")
          )
      })
      const id = yield* open
      const run = yield* prompt(id)
      yield* seen(id, "TextChunk")
      yield* sessions.cancel(id)
      yield* Deferred.succeed(stopping, void 0)
      yield* finish(id, run)
      expect((yield* types(id)).slice(-2)).toStrictEqual(["TextChunk", "RunEnded(Cancelled)"])
    }))

  it.scoped("EB4 a question between runs ends with its connection", () =>
    Effect.gen(function*() {
      const { agent, asked, open, sessions, types } = yield* setup()
      const id = yield* open
      const [voice] = yield* agent.live
      if (voice === undefined) return yield* Effect.dieMessage("no agent")
      const asking = yield* Effect.fork(voice.ask(confirmation))
      const question = yield* asked(id)
      expect((yield* sessions.elicitations(id))[0]).not.toHaveProperty("runId")
      yield* voice.die(died)
      yield* TestClock.adjust("1 second")
      expect(yield* Fiber.join(asking)).toStrictEqual(Option.none())
      expect(yield* types(id)).toStrictEqual([
        "SessionOpened",
        "AgentConnected",
        "ElicitationRequested",
        "ElicitationSettled",
        "AgentDisconnected",
        "AgentRestarting",
        "AgentConnected",
        "Warning",
        "AgentRestarted"
      ])
      expect(yield* Effect.flip(sessions.answer(id, question, { action: "accept" }))).toMatchObject({
        _tag: "ElicitationAlreadySettled"
      })
    }))

  it.scoped("EB11 a sensitive answer reaches the agent and not the log", () =>
    Effect.gen(function*() {
      const got = yield* Deferred.make<unknown>()
      const { asked, finish, history, open, prompt, sessions } = yield* setup({
        turn: ({ ask }) =>
          ask({
            kind: "form",
            message: "The key?",
            sensitive: true,
            schema: { properties: { key: { type: "string" } } }
          }).pipe(Effect.flatMap((answer) => Deferred.succeed(got, answer)), Effect.asVoid)
      })
      const id = yield* open
      const run = yield* prompt(id)
      const question = yield* asked(id)
      const refused = yield* Effect.flip(
        sessions.answer(id, question, { action: "accept", content: { key: ["hunter2"] } })
      )
      yield* sessions.answer(id, question, { action: "accept", content: { key: "hunter2" } })
      yield* finish(id, run)
      expect(yield* Deferred.await(got)).toMatchObject({ value: { content: { key: "hunter2" } } })
      expect(JSON.stringify([yield* history(id), refused, refused.message])).not.toContain("hunter2")
    }))

  it.scoped("RS3 a stream that owns a queued run takes only that one with it", () =>
    Effect.gen(function*() {
      const { history, open, prompt, seen, sessions } = yield* setup()
      const id = yield* open
      const first = yield* prompt(id, "hang")
      yield* seen(id, "TextChunk")
      const other = yield* prompt(id, "other", "queue")
      yield* RunStream.run(sessions, id, { content: [Content.text("mine")], whenBusy: "queue" }).pipe(
        Stream.take(1),
        Stream.runDrain
      )
      const all = yield* history(id)
      const dropped = all.filter(({ event }) => event.type === "RunDropped").map(({ runId }) => runId)
      expect(dropped).toHaveLength(1)
      expect([first.runId, other.runId]).not.toContain(dropped[0])
      yield* TestClock.adjust("1 second")
      expect(yield* sessions.get(id)).toMatchObject({ status: "running", run: first.runId })
    }))

  it.scoped("RS3 a stream that is left after its run cancels nobody else's", () =>
    Effect.gen(function*() {
      const { open, prompt, seen, sessions } = yield* setup()
      const id = yield* open
      const read = yield* Deferred.make<void>()
      const leaving = yield* RunStream.run(sessions, id, { content: [Content.text("mine")] }).pipe(
        Stream.take(1),
        Stream.runForEach(() => Deferred.await(read)),
        Effect.fork
      )
      yield* seen(id, "RunEnded")
      const other = yield* prompt(id, "hang")
      yield* seen(id, "TextChunk", 2)
      yield* Deferred.succeed(read, void 0)
      yield* Fiber.join(leaving)
      yield* TestClock.adjust("1 second")
      expect(yield* sessions.get(id)).toMatchObject({ status: "running", run: other.runId })
    }))
})

describe("an agent that says all at once", () => {
  const text = (text: string) => ({ _tag: "Said", event: { type: "TextChunk", text } }) as const
  const stopped = (run: RunId) =>
    ({ _tag: "TurnEnded", run, result: { _tag: "Stopped", stopReason: "end_turn" } }) as const
  const asks = { _tag: "Asked", request: confirmation, reply: () => Effect.void, elsewhere: Effect.never } as const

  const strings = Effect.fnUntraced(function*(
    options: Parameters<typeof Harness.puppet>[0] = {},
    limits: Parameters<typeof Harness.make>[1] = {}
  ) {
    const puppet = yield* Harness.puppet(options)
    const harness = yield* Harness.make([puppet.agent], limits)
    const id = yield* harness.open
    return { ...harness, ...puppet, id }
  })

  it.scoped("AG4 what comes after the end of the turn comes after the end of the run, and is not its own", () =>
    Effect.gen(function*() {
      const { finish, history, id, prompt, seen, signal } = yield* strings()
      const run = yield* prompt(id)
      yield* TestClock.adjust("10 millis")
      yield* signal(text("first"), stopped(run.runId), text("late"))
      yield* finish(id, run)
      yield* seen(id, "TextChunk", 2)
      expect((yield* history(id)).slice(3).map((stored) => [Harness.label(stored), stored.runId])).toStrictEqual([
        ["TextChunk", run.runId],
        ["RunEnded(Completed)", run.runId],
        ["TextChunk", undefined]
      ])
    }))

  it.scoped("AG4 what comes after a question comes after it in the log", () =>
    Effect.gen(function*() {
      const { id, prompt, seen, signal, types } = yield* strings()
      yield* prompt(id)
      yield* TestClock.adjust("10 millis")
      yield* signal(asks, text("meanwhile"))
      yield* seen(id, "TextChunk")
      expect((yield* types(id)).slice(-2)).toStrictEqual(["ElicitationRequested", "TextChunk"])
    }))

  it.scoped("RS6 the end of another turn does not end this one", () =>
    Effect.gen(function*() {
      const { finish, id, prompt, seen, signal } = yield* strings()
      const first = yield* prompt(id)
      yield* TestClock.adjust("10 millis")
      yield* signal(stopped(first.runId))
      yield* finish(id, first)
      const second = yield* prompt(id)
      yield* TestClock.adjust("10 millis")
      yield* signal(stopped(first.runId), text("still here"))
      yield* seen(id, "TextChunk")
      yield* signal(stopped(second.runId))
      expect((yield* finish(id, second)).map(Harness.label)).toStrictEqual([
        "RunStarted",
        "TextChunk",
        "RunEnded(Completed)"
      ])
    }))

  it.scoped("EB10 a question too many is cancelled with a warning, and holds up nothing", () =>
    Effect.gen(function*() {
      const { finish, id, prompt, signal, types } = yield* strings({}, { maxPending: 1 })
      const replied = yield* Deferred.make<unknown>()
      const run = yield* prompt(id)
      yield* TestClock.adjust("10 millis")
      yield* signal(asks, { ...asks, reply: (answer) => Deferred.succeed(replied, answer) }, stopped(run.runId))
      yield* finish(id, run)
      expect(yield* Deferred.await(replied)).toStrictEqual(Option.none())
      expect((yield* types(id)).slice(-4)).toStrictEqual([
        "ElicitationRequested",
        "Warning",
        "ElicitationSettled",
        "RunEnded(Completed)"
      ])
    }))

  it.scoped("AG2 an agent that closes its connection in a turn ends the run", () =>
    Effect.gen(function*() {
      const { end, finish, id, prompt } = yield* strings()
      const run = yield* prompt(id)
      yield* TestClock.adjust("10 millis")
      yield* end
      expect((yield* finish(id, run)).at(-1)?.event).toMatchObject({
        outcome: {
          _tag: "Failed",
          error: { _tag: "AgentDied", message: "the agent is gone: it closed its connection" }
        }
      })
    }))

  it.scoped("a cancel that comes while the prompt is on its way is told again when there is a turn to cancel", () =>
    Effect.gen(function*() {
      const gate = yield* Deferred.make<void>()
      const { id, prompt, sessions, told } = yield* strings({ prompt: Deferred.await(gate) })
      yield* prompt(id)
      yield* TestClock.adjust("10 millis")
      yield* sessions.cancel(id)
      yield* Deferred.succeed(gate, void 0)
      yield* TestClock.adjust("10 millis")
      expect(told.slice(-2)).toStrictEqual(["prompt", "cancel"])
    }))
})

describe("commands", () => {
  it.scoped("a cancel takes the open question back, which may be all that the turn waits for", () =>
    Effect.gen(function*() {
      const { asked, finish, open, prompt, sessions } = yield* setup({
        ignoresCancel: true,
        turn: ({ ask }) => Effect.as(ask(confirmation), "cancelled")
      })
      const id = yield* open
      const run = yield* prompt(id)
      yield* asked(id)
      yield* sessions.cancel(id)
      expect((yield* finish(id, run)).map(Harness.label).at(-1)).toBe("RunEnded(Cancelled)")
    }))

  it.scoped("RS5 prompts that wait have a limit", () =>
    Effect.gen(function*() {
      const agent = yield* ScriptedAgent.make({ turn: script.turn })
      const { open, prompt } = yield* Harness.make([agent], { maxQueued: 2 })
      const id = yield* open
      yield* prompt(id, "hang")
      yield* prompt(id, "hang", "queue")
      yield* prompt(id, "hang", "queue")
      expect(yield* Effect.flip(prompt(id, "too many", "queue"))).toMatchObject({
        _tag: "LimitReached",
        what: "queuedPrompts",
        limit: 2
      })
    }))

  it.scoped("RS5 a steering prompt cancels the open turn", () =>
    Effect.gen(function*() {
      const { finish, open, prompt, seen } = yield* setup()
      const id = yield* open
      const first = yield* prompt(id, "hang")
      yield* seen(id, "TextChunk")
      const steered = yield* prompt(id, "other", "steer")
      yield* finish(id, steered)
      expect((yield* finish(id, first)).map(Harness.label).at(-1)).toBe("RunEnded(Cancelled)")
    }))

  it.scoped("a restart that comes after another is another", () =>
    Effect.gen(function*() {
      const { agent, open, sessions } = yield* setup()
      const id = yield* open
      yield* within(Effect.flatten(sessions.restart(id, "requested")))
      yield* within(Effect.flatten(sessions.restart(id, "changed")))
      expect(yield* agent.connects).toBe(3)
      expect(yield* agent.live).toHaveLength(1)
    }))

  it.scoped("a restart that is asked for while one runs does not disturb it, and comes after it", () =>
    Effect.gen(function*() {
      const gate = yield* Deferred.make<void>()
      const { agent, open, seen, sessions } = yield* setup({
        onConnect: ({ attempt }) => attempt === 2 ? Deferred.await(gate) : Effect.void
      })
      const id = yield* open
      const first = yield* sessions.restart(id, "requested")
      yield* seen(id, "AgentDisconnected")
      yield* TestClock.adjust("1 second")
      const second = yield* sessions.restart(id, "requested")
      yield* TestClock.adjust("1 second")
      yield* Deferred.succeed(gate, void 0)
      yield* within(Effect.all([first, second], { concurrency: "unbounded" }))
      expect(yield* agent.connects).toBe(3)
    }))

  it.scoped("a restart ends also the run that waits for an agent which somebody else started", () =>
    Effect.gen(function*() {
      const { agent, finish, open, prompt, seen, sessions } = yield* setup({
        ignoresCancel: true,
        onConnect: ({ attempt }) => attempt === 2 ? Effect.never : Effect.void
      })
      const id = yield* open
      const [voice] = yield* agent.live
      yield* voice?.die(died) ?? Effect.void
      yield* seen(id, "AgentDisconnected")
      const setting = yield* Effect.fork(Effect.flip(sessions.setMode(id, "fast")))
      yield* TestClock.adjust("1 second")
      const run = yield* prompt(id, "hang")
      yield* TestClock.adjust("1 second")
      yield* within(Effect.flatten(sessions.restart(id, "requested")))
      expect((yield* finish(id, run)).map(Harness.label)).toStrictEqual(["RunStarted", "RunEnded(Cancelled)"])
      expect((yield* Fiber.join(setting))._tag).toBe("AgentDied")
      expect(yield* agent.live).toHaveLength(1)
    }))

  it.scoped("two who wake a session at once share it", () =>
    Effect.gen(function*() {
      const { agent, finish, log, prompt } = yield* setup()
      const asleep = yield* within(Effect.scoped(
        Effect.flatMap(Harness.over(log, [agent]), ({ open }) => open)
      ))
      const runs = yield* Effect.all([prompt(asleep, "a", "queue"), prompt(asleep, "b", "queue")], {
        concurrency: "unbounded"
      })
      yield* Effect.forEach(runs, (run) => finish(asleep, run))
      expect(yield* agent.connects).toBe(2)
    }))

  it.scoped("a run whose session is closed is cancelled, not failed, though its agent goes first", () =>
    Effect.gen(function*() {
      const { agent, open, prompt, seen, sessions, types } = yield* setup()
      const id = yield* open
      const [voice] = yield* agent.live
      yield* voice?.die(died) ?? Effect.void
      yield* TestClock.adjust("1 second")
      // the run starts the agent, so the agent is the younger of the two
      yield* prompt(id, "hang")
      yield* seen(id, "TextChunk")
      yield* within(sessions.close(id))
      expect((yield* types(id)).slice(-3)).toStrictEqual(["AgentDisconnected", "RunEnded(Cancelled)", "SessionClosed"])
    }))
})

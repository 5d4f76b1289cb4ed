import { describe, expect, it } from "@effect/vitest"
import * as Context from "effect/Context"
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
import { ElicitationId, SessionId } from "../../src/domain/Ids.js"
import * as RunStream from "../../src/session/RunStream.js"
import * as ScriptedAgent from "../../src/testing/ScriptedAgent.js"
import * as Harness from "./Harness.js"

leakFreeFile()

class Request extends Context.Tag("test/Request")<Request, string>() {}

const died = new AgentDied({ exitCode: 3, signal: null, stderr: "boom", message: "the agent died: exit code 3" })
const permission = {
  kind: "permission",
  message: "May I?",
  options: [{ optionId: "yes", name: "Allow", kind: "allow_once" }]
} as const
const yes = { action: "accept", content: { optionId: "yes" } } as const

const echo = ScriptedAgent.make({
  turn: ({ content, say }) => say({ type: "TextChunk", text: `you said ${Content.toText(content)}` })
})

/** An agent whose turn waits until the test lets it go on. */
const gated = Effect.gen(function*() {
  const gate = yield* Deferred.make<void>()
  const agent = yield* ScriptedAgent.make({
    turn: ({ say }) => Effect.zipRight(say({ type: "TextChunk", text: "working" }), Deferred.await(gate))
  })
  return { agent, open: Deferred.succeed(gate, void 0) }
})

describe("Sessions", () => {
  it.scoped("whoever has opened a session finds in its log what modes the agent has", () =>
    Effect.gen(function*() {
      const agent = yield* ScriptedAgent.make({
        turn: () => Effect.void,
        onConnect: ({ say }) => say({ type: "TextChunk", text: "early" }),
        begins: [{ type: "ModeChanged", modeId: "ask", available: [{ id: "ask", name: "Ask" }] }]
      })
      const { open, types } = yield* Harness.make([agent])
      expect((yield* types(yield* open)).slice(0, 3)).toStrictEqual(["SessionOpened", "AgentConnected", "ModeChanged"])
    }))

  it.scoped("a session is opened, prompted, answered, and closed; its log tells all of it", () =>
    Effect.gen(function*() {
      const agent = yield* ScriptedAgent.make({
        turn: ({ ask, say }) =>
          Effect.gen(function*() {
            yield* say({ type: "TextChunk", text: "let me ask" })
            const answer = yield* ask(permission)
            yield* say({ type: "TextChunk", text: `answered: ${Option.isSome(answer)}` })
          })
      })
      const { asked, finish, open, prompt, sessions, types } = yield* Harness.make([agent])
      const id = yield* open
      expect(yield* sessions.get(id)).toMatchObject({ status: "idle", agent: "scripted", pending: 0 })
      const run = yield* prompt(id)
      const question = yield* asked(id)
      expect(yield* sessions.get(id)).toMatchObject({ status: "waiting", run: run.runId, pending: 1 })
      yield* sessions.answer(id, question, yes)
      yield* finish(id, run)
      expect((yield* sessions.get(id)).status).toBe("idle")
      yield* sessions.close(id)
      yield* sessions.close(id)
      expect(yield* agent.live).toStrictEqual([])
      expect(yield* types(id)).toStrictEqual([
        "SessionOpened",
        "AgentConnected",
        "RunStarted",
        "TextChunk",
        "ElicitationRequested",
        "ElicitationSettled",
        "TextChunk",
        "RunEnded(Completed)",
        "AgentDisconnected",
        "SessionClosed"
      ])
      expect((yield* Effect.flip(prompt(id)))._tag).toBe("SessionClosed")
      const late = yield* Effect.flip(sessions.answer(id, question, yes))
      expect(late).toMatchObject({ _tag: "ElicitationAlreadySettled", outcome: { _tag: "Answered" } })
    }))

  it.scoped("EL1 a session with an id of the caller's is opened once, however many open it at once", () =>
    Effect.gen(function*() {
      const { history, sessions } = yield* Harness.make([yield* echo])
      const id = SessionId.make("ses_mine")
      const opened = yield* Effect.all(
        [1, 2, 3].map((n) => sessions.create({ agent: "scripted", id, title: `${n}` })),
        { concurrency: "unbounded" }
      )
      expect(opened.map(({ id }) => id)).toEqual([id, id, id])
      expect((yield* history(id)).filter(({ event }) => event.type === "SessionOpened")).toHaveLength(1)
      yield* sessions.close(id)
      expect(yield* sessions.create({ agent: "scripted", id })).toMatchObject({ id, status: "closed" })
    }))

  it.scoped("bad input has its own error and starts nothing", () =>
    Effect.gen(function*() {
      const { open, prompt, sessions, types } = yield* Harness.make([yield* echo], { maxPromptLength: 100 })
      const nobody = SessionId.make("ses_nobody")
      expect(yield* Effect.flip(sessions.create({ agent: "nobody" }))).toMatchObject({ known: ["scripted"] })
      expect((yield* Effect.flip(sessions.create({ agent: "scripted", cwd: "/no/such/folder" })))._tag).toBe(
        "CwdInvalid"
      )
      expect((yield* Effect.flip(prompt(nobody)))._tag).toBe("SessionNotFound")
      const id = yield* open
      expect((yield* Effect.flip(prompt(id, " ")))._tag).toBe("PromptInvalid")
      expect((yield* Effect.flip(sessions.prompt(id, { content: [] })))._tag).toBe("PromptInvalid")
      expect((yield* Effect.flip(prompt(id, "x".repeat(101))))._tag).toBe("PromptInvalid")
      const unknown = sessions.answer(id, ElicitationId.make("eli_x"), yes)
      expect((yield* Effect.flip(unknown))._tag).toBe("ElicitationNotFound")
      yield* sessions.cancel(id)
      expect(yield* types(id)).toStrictEqual(["SessionOpened", "AgentConnected"])
    }))

  it.scoped("a session whose agent does not start is left failed with the reason, and the next prompt tries again", () =>
    Effect.gen(function*() {
      const agent = yield* ScriptedAgent.make({
        onConnect: ({ attempt }) => attempt === 1 ? Effect.fail(died) : Effect.void,
        turn: () => Effect.void
      })
      const { finish, prompt, sessions, types } = yield* Harness.make([agent])
      expect((yield* Effect.flip(sessions.create({ agent: "scripted" })))._tag).toBe("AgentDied")
      const [session] = yield* sessions.list({ status: Option.some("failed"), after: Option.none(), limit: 10 })
      const id = session?.id ?? SessionId.make("ses_none")
      yield* Effect.flatMap(prompt(id), (run) => finish(id, run))
      expect(yield* types(id)).toStrictEqual([
        "SessionOpened",
        "AgentDisconnected",
        "RunStarted",
        "AgentConnected",
        "RunEnded(Completed)"
      ])
    }))

  it.scoped("an idempotency key is accepted once, also by a later life of the session", () =>
    Effect.gen(function*() {
      const agent = yield* echo
      const { finish, log, open, sessions } = yield* Harness.make([agent])
      const id = yield* open
      const options = { content: [Content.text("once")], idempotencyKey: "k1" }
      const run = yield* sessions.prompt(id, options)
      expect(yield* sessions.prompt(id, options)).toStrictEqual(run)
      yield* finish(id, run)
      const next = yield* Harness.over(log, [agent])
      expect(yield* next.sessions.prompt(id, options)).toStrictEqual(run)
    }))

  it.scoped("an idempotency key that comes with another prompt is refused, and tells what it was used for", () =>
    Effect.gen(function*() {
      const agent = yield* echo
      const { finish, log, open, sessions, types } = yield* Harness.make([agent])
      const id = yield* open
      const blocks = [Content.text("one"), Content.text("two")]
      const prompt = (...content: ReadonlyArray<Content.ContentBlock>) =>
        sessions.prompt(id, { content, idempotencyKey: "k1", whenBusy: "queue" })
      const run = yield* prompt(...blocks)
      yield* finish(id, run)
      const before = yield* types(id)
      for (const other of [[Content.text("three")], blocks.slice(0, 1), [...blocks, Content.text("three")]]) {
        expect(yield* Effect.flip(prompt(...other))).toMatchObject({ _tag: "IdempotencyKeyReused", ...run })
      }
      // whoever writes it down in another order
      expect(yield* prompt(...blocks.map((block) => ({ annotations: undefined, text: "", ...block })))).toStrictEqual(
        run
      )
      expect(yield* types(id)).toStrictEqual(before)
      // what the log has forgotten is believed
      yield* log.trim(id, run.seq + 1)
      expect(yield* prompt(Content.text("three"))).toStrictEqual(run)
    }))

  it.scoped("a session outlives its gateway: the agent is started again on demand and asked to load it", () =>
    Effect.gen(function*() {
      const agent = yield* ScriptedAgent.make({
        turn: ({ say }) => say({ type: "TextChunk", text: "again" }),
        onResume: () => Effect.succeed({ how: "loaded", replayed: [{ type: "TextChunk", text: "again" }] })
      })
      const scope = yield* Scope.make()
      const first = yield* Scope.extend(Harness.make([agent]), scope)
      const second = yield* Scope.make()
      // the log lives longer than the sessions over it
      const over = yield* Scope.extend(Harness.over(first.log, [agent]), second)
      const id = yield* over.open
      yield* Effect.flatMap(over.prompt(id), (run) => over.finish(id, run))
      yield* Scope.close(second, Exit.void)
      expect(yield* agent.live).toStrictEqual([])
      const later = yield* Harness.over(first.log, [agent])
      expect((yield* later.sessions.get(id)).status).toBe("idle")
      yield* Effect.flatMap(later.prompt(id), (run) => later.finish(id, run))
      expect((yield* later.types(id)).filter((type) => type === "TextChunk")).toHaveLength(2)
      expect((yield* later.history(id)).some(({ event }) => event.type === "AgentConnected" && event.how === "loaded"))
        .toBe(true)
      yield* Scope.close(scope, Exit.void)
    }))

  it.scoped("closing the layer ends every agent at once and tells open runs Lost", () =>
    Effect.gen(function*() {
      const { agent } = yield* gated
      const outer = yield* Harness.make([agent])
      const scope = yield* Scope.make()
      const { open, prompt, seen } = yield* Scope.extend(Harness.over(outer.log, [agent]), scope)
      const ids = yield* Effect.replicateEffect(open, 20)
      for (const id of ids) {
        yield* prompt(id)
        yield* seen(id, "TextChunk")
        yield* prompt(id, "then", "queue")
      }
      yield* Scope.close(scope, Exit.void)
      expect(yield* agent.live).toStrictEqual([])
      for (const id of ids) {
        expect((yield* outer.types(id)).slice(3)).toStrictEqual([
          "TextChunk",
          "RunQueued",
          "RunDropped",
          "AgentDisconnected",
          "RunEnded(Lost)"
        ])
        expect((yield* outer.log.state(id)).run).toBeNull()
      }
    }))

  it.scoped("an agent does not run with the context of the request that opened its session, and so does not keep it", () =>
    Effect.gen(function*() {
      const kept: Array<boolean> = []
      const look = Effect.map(Effect.serviceOption(Request), (request) => void kept.push(Option.isSome(request)))
      const agent = yield* ScriptedAgent.make({ onConnect: () => look, turn: () => Effect.void })
      const { open } = yield* Harness.make([agent])
      yield* Effect.provideService(open, Request, "a request")
      expect(kept).toStrictEqual([false])
    }))

  it.scoped("sessions have a limit", () =>
    Effect.gen(function*() {
      const { open } = yield* Harness.make([yield* echo], { maxSessions: 1 })
      yield* open
      expect(yield* Effect.flip(open)).toMatchObject({ _tag: "LimitReached", what: "sessions", limit: 1 })
    }))

  it.scoped("two who close one session at once both wait until nothing is left", () =>
    Effect.gen(function*() {
      const { agent } = yield* gated
      const { open, prompt, sessions, types } = yield* Harness.make([agent])
      const id = yield* open
      yield* prompt(id)
      yield* Effect.all([sessions.close(id), sessions.close(id)], { concurrency: "unbounded" })
      expect(yield* agent.live).toStrictEqual([])
      const told = yield* types(id)
      expect(told.filter((type) => type === "SessionClosed")).toHaveLength(1)
      expect(told).toContain("RunEnded(Cancelled)")
    }))
})

describe("restart", () => {
  it.scoped("an agent that cannot load the session is told of as one that has forgotten", () =>
    Effect.gen(function*() {
      const { history, open, sessions, types } = yield* Harness.make([yield* echo])
      const id = yield* open
      expect(yield* types(id)).not.toContain("Warning")
      yield* Effect.flatten(sessions.restart(id, "requested"))
      const warning = (yield* history(id)).find(({ event }) => event.type === "Warning")
      expect(warning).toMatchObject({ event: { message: expect.stringContaining("could not load") } })
    }))

  it.scoped("ends the agent and starts it again; an open turn is cancelled and a queued one goes on", () =>
    Effect.gen(function*() {
      const { agent, open: release } = yield* gated
      const { finish, open, prompt, seen, sessions, types } = yield* Harness.make([agent])
      const id = yield* open
      yield* prompt(id)
      const second = yield* prompt(id, "second", "queue")
      yield* seen(id, "TextChunk")
      const restarted = yield* Effect.flatten(sessions.restart(id, "requested"))
      expect(restarted.status).not.toBe("restarting")
      yield* release
      yield* finish(id, second)
      expect(yield* agent.connects).toBe(2)
      const told = yield* types(id)
      expect(told.filter((type) => /Agent|RunEnded/.test(type)).sort()).toStrictEqual([
        "AgentConnected",
        "AgentConnected",
        "AgentDisconnected",
        "AgentRestarted",
        "AgentRestarting",
        "RunEnded(Cancelled)",
        "RunEnded(Completed)"
      ])
    }))

  it.scoped("requests that come while one runs share one more", () =>
    Effect.gen(function*() {
      const agent = yield* echo
      const { open, sessions } = yield* Harness.make([agent])
      const id = yield* open
      const waits = yield* Effect.replicateEffect(sessions.restart(id, "requested"), 10)
      yield* Effect.all(waits, { concurrency: "unbounded" })
      expect(yield* agent.connects).toBeLessThanOrEqual(3)
      expect(yield* agent.live).toHaveLength(1)
    }))

  it.scoped("a failed restart is told to the one who waits and to the log", () =>
    Effect.gen(function*() {
      const agent = yield* ScriptedAgent.make({
        onConnect: ({ attempt }) => attempt === 2 ? Effect.fail(died) : Effect.void,
        turn: () => Effect.void
      })
      const { finish, open, prompt, sessions, types } = yield* Harness.make([agent])
      const id = yield* open
      expect((yield* Effect.flip(Effect.flatten(sessions.restart(id, "changed"))))._tag).toBe("AgentDied")
      expect((yield* sessions.get(id)).status).toBe("failed")
      expect(yield* types(id)).toContain("AgentRestartFailed")
      yield* Effect.flatMap(prompt(id), (run) => finish(id, run))
      expect((yield* sessions.get(id)).status).toBe("idle")
    }))
})

describe("runs", () => {
  const program = (script: Parameters<typeof ScriptedAgent.make>[0]) =>
    Effect.gen(function*() {
      const agent = yield* ScriptedAgent.make(script)
      const harness = yield* Harness.make([agent], { cancelGrace: "5 seconds" })
      const id = yield* harness.open
      return { ...harness, agent, id }
    })

  it.scoped("RS1 exactly one RunEnded, and it is the run's last event, however the turn ends", () =>
    Effect.gen(function*() {
      const ways: ReadonlyArray<readonly [outcome: string, script: Parameters<typeof ScriptedAgent.make>[0]]> = [
        ["Completed", { turn: ({ say }) => say({ type: "TextChunk", text: "done" }) }],
        ["Failed", { turn: () => Effect.fail(died) }],
        ["Failed", { turn: ({ die }) => die(died) }],
        ["Failed", { turn: () => Effect.die("a bug in the driver") }],
        ["Cancelled", { turn: () => Effect.succeed("cancelled") }],
        ["Failed", { turn: ({ ask, die }) => Effect.zipRight(Effect.fork(ask(permission)), die(died)) }]
      ]
      for (const [outcome, script] of ways) {
        const { finish, history, id, prompt } = yield* program(script)
        const run = yield* prompt(id)
        yield* finish(id, run)
        const mine = (yield* history(id)).filter((stored) => stored.runId === run.runId).map(Harness.label)
        expect(mine.filter((label) => label.startsWith("RunEnded"))).toStrictEqual([`RunEnded(${outcome})`])
        expect(mine.at(-1)).toBe(`RunEnded(${outcome})`)
        expect(mine.filter((label) => label === "RunStarted")).toHaveLength(1)
      }
    }))

  it.scoped("RS1 an agent that says more after its turn ended adds nothing to the run", () =>
    Effect.gen(function*() {
      const { finish, history, id, prompt, seen } = yield* program({
        turn: ({ say }) =>
          Effect.sleep("1 second").pipe(
            Effect.zipRight(say({ type: "TextChunk", text: "late" })),
            Effect.forkScoped,
            Effect.asVoid
          )
      })
      const run = yield* prompt(id)
      yield* finish(id, run)
      yield* TestClock.adjust("1 second")
      yield* seen(id, "TextChunk")
      const [late] = (yield* history(id)).slice(-1)
      expect(late).toMatchObject({ event: { text: "late" } })
      expect(late?.runId).toBeUndefined()
    }))

  it.scoped("RS2 the questions of a run are settled before its RunEnded", () =>
    Effect.gen(function*() {
      const { asked, finish, history, id, prompt, sessions } = yield* program({
        // the turn ends though its question is open
        turn: ({ ask }) => Effect.zipRight(Effect.forkScoped(ask(permission)), Effect.sleep("1 second"))
      })
      const run = yield* prompt(id)
      const question = yield* asked(id)
      yield* TestClock.adjust("1 second")
      yield* finish(id, run)
      const mine = (yield* history(id)).filter((stored) => stored.runId === run.runId).map(Harness.label)
      expect(mine.slice(-2)).toStrictEqual(["ElicitationSettled", "RunEnded(Completed)"])
      expect(yield* sessions.elicitations(id)).toStrictEqual([])
      expect(yield* Effect.flip(sessions.answer(id, question, yes))).toMatchObject({ outcome: { _tag: "Withdrawn" } })
    }))

  it.scoped("RS3 a run goes on when its viewers leave, and a stream that owns its run cancels it", () =>
    Effect.gen(function*() {
      const { agent, open: release } = yield* gated
      const { finish, open, prompt, sessions, types } = yield* Harness.make([agent])
      const id = yield* open
      const run = yield* prompt(id)
      yield* RunStream.follow(sessions, id, run).pipe(Stream.take(1), Stream.runDrain)
      yield* release
      yield* finish(id, run)
      expect(yield* types(id)).toContain("RunEnded(Completed)")
      const held = yield* gated
      const other = yield* Harness.make([held.agent])
      const owned = yield* other.open
      yield* RunStream.run(other.sessions, owned, { content: [Content.text("hi")] }).pipe(
        Stream.take(2),
        Stream.runDrain
      )
      yield* other.seen(owned, "RunEnded")
      expect(yield* other.types(owned)).toContain("RunEnded(Cancelled)")
    }))

  it.scoped("RS4 a viewer that never reads delays neither the run nor its end", () =>
    Effect.gen(function*() {
      const { finish, id, prompt, sessions } = yield* program({
        turn: ({ say }) => Effect.repeatN(say({ type: "TextChunk", text: "x" }), 4999)
      })
      const stuck = yield* sessions.events({ session: id, after: 0 }).pipe(
        Stream.runForEach(() => Effect.never),
        Effect.fork
      )
      const events = yield* Effect.flatMap(prompt(id), (run) => finish(id, run))
      expect(events).toHaveLength(5002)
      yield* Fiber.interrupt(stuck)
    }))

  it.scoped("RS5 a second prompt is refused, queued or steered, as the caller asks", () =>
    Effect.gen(function*() {
      const { agent, open: release } = yield* gated
      const { finish, history, open, prompt, seen, sessions } = yield* Harness.make([agent], { maxQueued: 2 })
      const id = yield* open
      const first = yield* prompt(id, "first")
      yield* seen(id, "TextChunk")
      expect(yield* Effect.flip(prompt(id))).toMatchObject({ _tag: "SessionBusy", runId: first.runId })
      const queued = yield* prompt(id, "queued", "queue")
      yield* release
      const steered = yield* prompt(id, "steered", "steer")
      yield* finish(id, steered)
      yield* finish(id, queued)
      const order = (yield* history(id)).filter(({ event }) => event.type === "RunStarted" || event.type === "RunEnded")
      expect(order.map((stored) => [stored.runId, Harness.label(stored)])).toStrictEqual([
        [first.runId, "RunStarted"],
        [first.runId, order[1] === undefined ? "" : Harness.label(order[1])],
        [steered.runId, "RunStarted"],
        [steered.runId, "RunEnded(Completed)"],
        [queued.runId, "RunStarted"],
        [queued.runId, "RunEnded(Completed)"]
      ])
      expect((yield* sessions.get(id)).status).toBe("idle")
    }))

  it.scoped("cancel settles the open question, stops the turn and drops what waits", () =>
    Effect.gen(function*() {
      const { asked, finish, id, prompt, sessions, types } = yield* program({
        turn: ({ ask }) => Effect.zipRight(ask(permission), Effect.never)
      })
      const run = yield* prompt(id)
      yield* prompt(id, "later", "queue")
      yield* asked(id)
      yield* sessions.cancel(id)
      yield* finish(id, run)
      const told = yield* types(id)
      expect(told.filter((type) => type === "RunDropped")).toHaveLength(1)
      expect(told.slice(-2)).toStrictEqual(["ElicitationSettled", "RunEnded(Cancelled)"])
    }))

  it.scoped("an agent that ignores cancel is ended after the grace, and the next prompt gets a new one", () =>
    Effect.gen(function*() {
      const { agent, finish, id, prompt, seen, sessions } = yield* program({
        ignoresCancel: true,
        turn: ({ content, say }) =>
          Effect.zipRight(
            say({ type: "TextChunk", text: "on it" }),
            Content.toText(content) === "hang" ? Effect.never : Effect.void
          )
      })
      const run = yield* prompt(id, "hang")
      yield* seen(id, "TextChunk")
      yield* sessions.cancel(id)
      yield* TestClock.adjust("4 seconds")
      expect((yield* sessions.get(id)).status).toBe("running")
      yield* TestClock.adjust("1 second")
      expect((yield* finish(id, run)).map(Harness.label).at(-1)).toBe("RunEnded(Cancelled)")
      expect(yield* agent.live).toStrictEqual([])
      expect((yield* Effect.flatMap(prompt(id), (run) => finish(id, run))).map(Harness.label).at(-1))
        .toBe("RunEnded(Completed)")
    }))

  it.scoped("a cancel while the agent still starts ends the run at once", () =>
    Effect.gen(function*() {
      const booted = yield* Deferred.make<void>()
      const agent = yield* ScriptedAgent.make({
        onConnect: ({ attempt }) => attempt === 1 ? Effect.fail(died) : Deferred.await(booted),
        turn: () => Effect.void
      })
      const { finish, prompt, sessions } = yield* Harness.make([agent])
      yield* Effect.flip(sessions.create({ agent: "scripted" }))
      const [session] = yield* sessions.list({ status: Option.none(), after: Option.none(), limit: 1 })
      const id = session?.id ?? SessionId.make("ses_none")
      const run = yield* prompt(id)
      yield* Effect.yieldNow()
      yield* sessions.cancel(id)
      expect((yield* finish(id, run)).map(Harness.label)).toStrictEqual(["RunStarted", "RunEnded(Cancelled)"])
      // the agent is the session's: the next prompt finds it
      const next = yield* prompt(id)
      yield* Deferred.succeed(booted, void 0)
      expect((yield* finish(id, next)).map(Harness.label)).toStrictEqual(["RunStarted", "RunEnded(Completed)"])
      expect(yield* agent.connects).toBe(2)
    }))

  it.scoped("RS6 a late update of an ended run's tool call is not given to the next run", () =>
    Effect.gen(function*() {
      const { finish, history, id, prompt } = yield* program({
        turn: ({ content, say }) =>
          Content.toText(content) === "first"
            ? say({ type: "ToolCallStarted", toolCallId: "t1", title: "read", status: "in_progress" })
            : say({ type: "ToolCallEnded", toolCallId: "t1", status: "completed" })
      })
      yield* Effect.flatMap(prompt(id, "first"), (run) => finish(id, run))
      yield* Effect.flatMap(prompt(id, "second"), (run) => finish(id, run))
      const ended = (yield* history(id)).find(({ event }) => event.type === "ToolCallEnded")
      expect(ended).toBeDefined()
      expect(ended?.runId).toBeUndefined()
    }))

  it.scoped("an agent that dies between runs is noticed, and the next prompt starts it again", () =>
    Effect.gen(function*() {
      const { agent, finish, id, prompt, seen, sessions } = yield* program({ turn: () => Effect.void })
      const [voice] = yield* agent.live
      if (voice !== undefined) yield* voice.die(died)
      yield* seen(id, "AgentDisconnected")
      // it may be on its way back already
      expect(["idle", "restarting"]).toContain((yield* sessions.get(id)).status)
      yield* Effect.flatMap(prompt(id), (run) => finish(id, run))
      expect(yield* agent.connects).toBe(2)
    }))
})

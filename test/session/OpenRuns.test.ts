/**
 * Runs that the agent opens itself, nested in a turn or in the background: what becomes of what is said and asked in them.
 */
import { describe, expect, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import * as TestClock from "effect/TestClock"
import { leakFreeFile } from "holdfast/testing/vitest"
import type { AgentSignal } from "../../src/agent/Agent.js"
import * as Content from "../../src/domain/Content.js"
import { AgentDied } from "../../src/domain/Errors.js"
import { RunId } from "../../src/domain/Ids.js"
import type { StoredEvent } from "../../src/domain/StoredEvent.js"
import * as ScriptedAgent from "../../src/testing/ScriptedAgent.js"
import * as Harness from "./Harness.js"
import { checkHistory } from "./InMemory.js"

leakFreeFile()

const died = new AgentDied({ exitCode: 3, signal: null, stderr: "boom", message: "the agent died: exit code 3" })
const confirmation = { kind: "confirmation", message: "Go on?" } as const
const child = RunId.make("run_child")
const inner = RunId.make("run_inner")
const background = RunId.make("run_background")
const hang = Effect.async<never>(() => {})

const text = (text: string) => ({ type: "TextChunk", text }) as const
const said = (words: string, run?: RunId) => ({ _tag: "Said", event: text(words), run }) as const
const opened = (
  run: RunId,
  until: "parent" | "session",
  parent?: RunId
): Extract<AgentSignal, { _tag: "RunOpened" }> => ({
  _tag: "RunOpened",
  run,
  parent,
  until,
  prompt: [Content.text("look it up")]
})
const stopped = (run: RunId, stopReason = "end_turn"): AgentSignal => ({
  _tag: "TurnEnded",
  run,
  result: { _tag: "Stopped", stopReason }
})

/** Who said what, in brackets after its kind. */
const told = (events: ReadonlyArray<StoredEvent>) =>
  events.map((stored) => [
    stored.event.type === "TextChunk" ? stored.event.text : Harness.label(stored),
    stored.runId
  ])

const strings = Effect.gen(function*() {
  const puppet = yield* Harness.puppet()
  const harness = yield* Harness.make([puppet.agent])
  const id = yield* harness.open
  const run = yield* harness.prompt(id)
  yield* TestClock.adjust("10 millis")
  const after = Effect.map(harness.history(id), (all) => all.slice(3))
  return { ...harness, ...puppet, id, run, turn: run.runId, after }
})

/** An agent whose sub-agents do what the test says, over virtual time. */
const scripted = Effect.fnUntraced(function*(options: Omit<ScriptedAgent.Options, "name">) {
  const agent = yield* ScriptedAgent.make(options)
  const scope = yield* Scope.make()
  const harness = yield* Scope.extend(Harness.make([agent], { cancelGrace: "10 seconds" }), scope)
  yield* Effect.addFinalizer((exit) => Scope.close(scope, exit))
  const id = yield* harness.open
  return { ...harness, agent, id, scope }
})

describe("a nested run", () => {
  it.scoped("RS6 has a beginning, what is said in it, and an end of its own, side by side with its parent's", () =>
    Effect.gen(function*() {
      const { after, finish, id, run, signal, turn } = yield* strings
      yield* signal(
        { ...opened(child, "parent", turn), agent: "librarian" },
        said("a"),
        said("b", child),
        opened(inner, "parent", child),
        said("c", inner),
        said("d", turn),
        stopped(inner),
        said("e", child),
        stopped(child),
        said("f"),
        stopped(turn)
      )
      const followed = yield* finish(id, run)
      const all = yield* after
      expect(told(all)).toStrictEqual([
        ["RunStarted", child],
        ["a", turn],
        ["b", child],
        ["RunStarted", inner],
        ["c", inner],
        ["d", turn],
        ["RunEnded(Completed)", inner],
        ["e", child],
        ["RunEnded(Completed)", child],
        ["f", turn],
        ["RunEnded(Completed)", turn]
      ])
      expect(all[0]?.event).toStrictEqual({
        type: "RunStarted",
        prompt: [Content.text("look it up")],
        parentRunId: turn,
        until: "parent",
        agent: "librarian"
      })
      // its stream is that of the turn, to the turn's own end
      expect(followed.slice(1)).toStrictEqual(all)
    }))

  it.scoped("RS2 ends before its parent, the innermost first, with its questions", () =>
    Effect.gen(function*() {
      const { after, finish, id, run, sessions, signal, turn } = yield* strings
      const asks = (run: RunId) =>
        ({ _tag: "Asked", request: confirmation, reply: () => Effect.void, elsewhere: hang, run }) as const
      yield* signal(opened(child, "parent"), opened(inner, "parent", child), asks(inner), asks(child))
      yield* TestClock.adjust("10 millis")
      expect(yield* sessions.get(id)).toMatchObject({ status: "waiting", run: turn, pending: 2, runs: [{}, {}] })
      yield* signal(stopped(turn))
      yield* finish(id, run)
      expect(told(yield* after).slice(4)).toStrictEqual([
        ["ElicitationSettled", inner],
        ["RunEnded(Cancelled)", inner],
        ["ElicitationSettled", child],
        ["RunEnded(Cancelled)", child],
        ["RunEnded(Completed)", turn]
      ])
      expect((yield* sessions.get(id)).runs).toBeUndefined()
    }))

  it.scoped("EB3 ten background runs ask at once: each gets its own answer", () =>
    Effect.gen(function*() {
      const answers = yield* Deferred.make<ReadonlyArray<string | undefined>>()
      const names = Array.from({ length: 10 }, (_, n) => `agent ${n}`)
      const question = (message: string) => ({
        kind: "permission" as const,
        message,
        options: names.map((name) => ({ optionId: name, name, kind: "allow_once" }))
      })
      const { finish, id, prompt, seen, sessions } = yield* scripted({
        turn: ({ open }) =>
          Effect.gen(function*() {
            const got = new Map<string, string>()
            const works = yield* Effect.forEach(names, (name) =>
              Effect.forkScoped(open({ until: "session", agent: name }, ({ ask }) =>
                Effect.map(ask(question(name)), (answer) => {
                  got.set(name, String(Option.getOrUndefined(answer)?.content?.["optionId"]))
                }))))
            yield* Effect.forkScoped(
              Effect.zipRight(
                Fiber.joinAll(works),
                Effect.suspend(() =>
                  Deferred.succeed(
                    answers,
                    names.map((name) => got.get(name))
                  )
                )
              )
            )
          })
      })
      const run = yield* prompt(id)
      yield* finish(id, run)
      yield* seen(id, "ElicitationRequested", 10)
      const pending = yield* sessions.elicitations(id)
      expect(
        new Set(pending.map(({ runId }) =>
          runId
        )).size
      ).toBe(10)
      // the turn is over: they are all that is left
      expect((yield* sessions.get(id)).run).toBeUndefined()
      yield* Effect.forEach([...pending].reverse(), (open) =>
        sessions.answer(id, open.id, { action: "accept", content: { optionId: open.message } }))
      expect(yield* Deferred.await(answers)).toStrictEqual(names)
      yield* seen(id, "RunEnded", 11)
    }))
})

describe("a background run", () => {
  it.scoped("RS6 outlives the turn, does not make the session busy, and gets nothing of the next turn", () =>
    Effect.gen(function*() {
      const { after, finish, history, id, prompt, run, sessions, signal, turn } = yield* strings
      yield* signal(opened(background, "session", turn), said("a", background), stopped(turn))
      yield* finish(id, run)
      expect(yield* sessions.get(id)).toMatchObject({
        status: "idle",
        runs: [{ id: background, parent: turn, until: "session" }]
      })
      const next = yield* prompt(id)
      yield* TestClock.adjust("10 millis")
      yield* signal(said("b"), said("c", background), stopped(background), said("d", background), stopped(next.runId))
      yield* finish(id, next)
      expect(told(yield* after)).toStrictEqual([
        ["RunStarted", background],
        ["a", background],
        ["RunEnded(Completed)", turn],
        ["RunStarted", next.runId],
        ["b", next.runId],
        ["c", background],
        ["RunEnded(Completed)", background],
        ["d", undefined],
        ["RunEnded(Completed)", next.runId]
      ])
      checkHistory(yield* history(id))
    }))

  it.scoped("RS1 ends with its connection, as a turn does", () =>
    Effect.gen(function*() {
      const { agent, finish, history, id, prompt, seen } = yield* scripted({
        turn: ({ open }) => Effect.asVoid(Effect.forkScoped(open({ until: "session", run: background }, () => hang)))
      })
      yield* Effect.flatMap(prompt(id), (run) => finish(id, run))
      yield* seen(id, "RunStarted", 2)
      const [voice] = yield* agent.live
      yield* voice?.die(died) ?? Effect.void
      yield* seen(id, "RunEnded", 2)
      expect((yield* history(id)).find(({ event, runId }) => event.type === "RunEnded" && runId === background)?.event)
        .toMatchObject({ outcome: { _tag: "Failed", error: { _tag: "AgentDied", exitCode: 3 } } })
    }))

  for (
    const [ender, outcome] of [["closed", "Cancelled"], ["restarted", "Cancelled"], ["shut down", "Lost"]] as const
  ) {
    it.scoped(`RS1 ends when the session is ${ender}`, () =>
      Effect.gen(function*() {
        const { finish, id, log, prompt, scope, seen, sessions } = yield* scripted({
          turn: ({ open }) => Effect.asVoid(Effect.forkScoped(open({ until: "session", run: background }, () => hang)))
        })
        yield* Effect.flatMap(prompt(id), (run) => finish(id, run))
        yield* seen(id, "RunStarted", 2)
        if (ender === "closed") yield* sessions.close(id)
        else if (ender === "restarted") yield* Effect.flatten(sessions.restart(id, "requested"))
        else yield* Scope.close(scope, yield* Effect.exit(Effect.void))
        const after = yield* Effect.scoped(Effect.flatMap(Harness.over(log, []), ({ history }) => history(id)))
        expect(after.filter(({ runId }) => runId === background).map(Harness.label)).toStrictEqual([
          "RunStarted",
          `RunEnded(${outcome})`
        ])
        checkHistory(after)
      }))
  }
})

describe("a question that is open when its session ends", () => {
  const asking: ScriptedAgent.Options["turn"] = ({ ask }) => Effect.asVoid(ask(confirmation))
  const turns = {
    "a turn": asking,
    "a background run": ({ open }) =>
      Effect.asVoid(
        Effect.forkScoped(open({ until: "session", run: background }, ({ ask }) => Effect.asVoid(ask(confirmation))))
      )
  } satisfies Record<string, ScriptedAgent.Options["turn"]>

  for (const [whose, turn] of Object.entries(turns)) {
    for (const [ender, reason] of [["closed", "the session was closed"], ["shut down", "Holdfast was shut down"]]) {
      it.scoped(`EB4 of ${whose} is withdrawn because it was ${ender}, and not by the agent`, () =>
        Effect.gen(function*() {
          const { asked, id, log, prompt, scope, sessions } = yield* scripted({ turn })
          yield* prompt(id)
          yield* asked(id)
          yield* ender === "closed" ? sessions.close(id) : Scope.close(scope, Exit.void)
          const after = yield* Effect.scoped(Effect.flatMap(Harness.over(log, []), ({ history }) => history(id)))
          expect(after.flatMap(({ event }) => event.type === "ElicitationSettled" ? [event.outcome] : []))
            .toStrictEqual([{ _tag: "Withdrawn", reason }])
          checkHistory(after)
        }))
    }
  }
})

describe("a cancel", () => {
  const both: ScriptedAgent.Options["turn"] = ({ open }) =>
    Effect.gen(function*() {
      yield* Effect.forkScoped(open({ until: "session", run: background }, () => hang))
      yield* open({ until: "parent", run: child }, ({ ask }) => Effect.asVoid(ask(confirmation)))
    })

  it.scoped("of the session stops the turn with what is nested in it, and leaves what is in the background", () =>
    Effect.gen(function*() {
      const { asked, finish, history, id, prompt, sessions } = yield* scripted({ turn: both })
      const run = yield* prompt(id)
      yield* asked(id)
      yield* sessions.cancel(id)
      yield* finish(id, run)
      expect(yield* sessions.get(id)).toMatchObject({ status: "idle", pending: 0, runs: [{ id: background }] })
      checkHistory([...yield* history(id)].filter(({ runId }) => runId !== background))
    }))

  it.scoped("EB4 of the turn: what is nested in it asks nobody any more", () =>
    Effect.gen(function*() {
      const { after, finish, id, run, sessions, signal, turn } = yield* strings
      yield* signal(opened(child, "parent", turn))
      yield* TestClock.adjust("10 millis")
      yield* sessions.cancel(id)
      const replied = yield* Deferred.make<unknown>()
      yield* signal({
        _tag: "Asked",
        request: confirmation,
        reply: (answer) => Deferred.succeed(replied, answer),
        elsewhere: hang,
        run: child
      })
      expect(yield* Deferred.await(replied)).toStrictEqual(Option.none())
      yield* signal(stopped(turn, "cancelled"))
      yield* finish(id, run)
      expect(told(yield* after)).toStrictEqual([
        ["RunStarted", child],
        ["RunEnded(Cancelled)", child],
        ["RunEnded(Cancelled)", turn]
      ])
    }))

  it.scoped("of a run that the agent opened stops that one only", () =>
    Effect.gen(function*() {
      const { asked, finish, id, prompt, sessions } = yield* scripted({ turn: both })
      const run = yield* prompt(id)
      yield* asked(id)
      yield* sessions.cancel(id, child)
      const events = yield* finish(id, run)
      expect(events.filter(({ event }) => event.type === "RunEnded").map((stored) => told([stored])[0])).toStrictEqual([
        ["RunEnded(Cancelled)", child],
        ["RunEnded(Completed)", run.runId]
      ])
      yield* sessions.cancel(id, background)
      yield* TestClock.adjust("10 millis")
      expect((yield* sessions.get(id)).runs).toBeUndefined()
    }))

  it.scoped("of a run that does not stop gives that run up, and not the agent that others are at work in", () =>
    Effect.gen(function*() {
      const { agent, id, log, prompt, seen, sessions } = yield* scripted({
        ignoresCancel: true,
        turn: ({ open }) =>
          Effect.zipRight(Effect.forkScoped(open({ until: "session", run: background }, () => hang)), hang)
      })
      const run = yield* prompt(id)
      yield* seen(id, "RunStarted", 2)
      yield* sessions.cancel(id, background)
      yield* TestClock.adjust("9 seconds")
      expect((yield* log.state(id)).open).toHaveLength(1)
      yield* TestClock.adjust("1 second")
      expect(yield* sessions.get(id)).toMatchObject({ status: "running", run: run.runId })
      expect((yield* log.state(id)).open).toStrictEqual([])
      yield* seen(id, "Warning")
      expect(yield* agent.connects).toBe(1)
      yield* sessions.cancel(id)
      yield* TestClock.adjust("10 seconds")
    }))
})

describe("an agent that says what cannot be", () => {
  it.scoped("RS6 a run opened twice is opened once", () =>
    Effect.gen(function*() {
      const { after, finish, id, run, signal, turn } = yield* strings
      yield* signal(opened(child, "parent"), opened(child, "session"), stopped(child), opened(child, "session"))
      yield* signal(opened(turn, "session"), stopped(turn))
      yield* finish(id, run)
      expect(told(yield* after)).toStrictEqual([
        ["RunStarted", child],
        ["Warning", undefined],
        ["RunEnded(Completed)", child],
        ["Warning", undefined],
        ["Warning", undefined],
        ["RunEnded(Completed)", turn]
      ])
    }))

  it.scoped("RS6 a run nested in one that is not open is none: what is said in it is given to no other", () =>
    Effect.gen(function*() {
      const { after, asked, finish, id, run, sessions, signal, turn } = yield* strings
      const replied = yield* Deferred.make<unknown>()
      yield* signal(
        opened(inner, "parent", child),
        said("a", inner),
        {
          _tag: "Asked",
          request: confirmation,
          reply: (answer) => Deferred.succeed(replied, answer),
          elsewhere: hang,
          run: inner
        },
        stopped(inner),
        stopped(turn)
      )
      yield* finish(id, run)
      const question = yield* asked(id)
      yield* sessions.answer(id, question, { action: "accept" })
      expect(yield* Deferred.await(replied)).toStrictEqual(Option.some({ action: "accept" }))
      expect(told(yield* after).slice(0, 4)).toStrictEqual([
        ["Warning", undefined],
        ["a", undefined],
        ["ElicitationRequested", undefined],
        ["RunEnded(Completed)", turn]
      ])
    }))

  it.scoped("RS6 a turn that the agent takes late says from which run it comes, whatever became of that", () =>
    Effect.gen(function*() {
      const { finish, history, id, run, seen, signal, turn } = yield* strings
      yield* signal(stopped(turn))
      yield* finish(id, run)
      yield* signal(opened(background, "session", turn), said("one more thing", background), stopped(background))
      yield* seen(id, "RunEnded", 2)
      const all = yield* history(id)
      expect(all.at(-3)?.event).toMatchObject({ type: "RunStarted", parentRunId: turn, until: "session" })
      checkHistory(all)
    }))
})

describe("a log that fails", () => {
  it.scoped("RS1 a nested run whose beginning is stored late has one beginning, and an end", () =>
    Effect.gen(function*() {
      const faulty = yield* Harness.faultyLog
      const { agent, signal } = yield* Harness.puppet()
      const { finish, history, open, prompt } = yield* Harness.over(faulty.log, [agent])
      const id = yield* open
      const run = yield* prompt(id)
      yield* TestClock.adjust("10 millis")
      yield* faulty.fail("RunStarted")
      yield* signal(opened(child, "parent"), said("a", child), stopped(run.runId))
      yield* TestClock.adjust("100 millis")
      yield* faulty.fail(false)
      yield* TestClock.adjust("10 seconds")
      yield* finish(id, run)
      const all = yield* history(id)
      expect(all.filter(({ runId }) => runId === child).map(Harness.label)).toStrictEqual([
        "RunStarted",
        "TextChunk",
        "RunEnded(Cancelled)"
      ])
      checkHistory(all)
    }))
})

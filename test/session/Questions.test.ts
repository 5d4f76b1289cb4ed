import { describe, expect, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import * as TestClock from "effect/TestClock"
import { leakFreeFile } from "holdfast/testing/vitest"
import * as Content from "../../src/domain/Content.js"
import type { ElicitationRequest } from "../../src/domain/Elicitation.js"
import type { SessionId } from "../../src/domain/Ids.js"
import * as EventLog from "../../src/log/EventLog.js"
import * as ScriptedAgent from "../../src/testing/ScriptedAgent.js"
import * as Harness from "./Harness.js"

leakFreeFile()

/** An agent that wants to write, every time it is prompted, to the file of the prompt; it says which option it was given. */
const writer = ScriptedAgent.make({
  turn: ({ ask, content, say }) =>
    Effect.gen(function*() {
      const request: ElicitationRequest = {
        kind: "permission",
        message: "Write?",
        subject: `write ${Content.toText(content)}`,
        options: [
          { optionId: "once", name: "Allow", kind: "allow_once" },
          { optionId: "always", name: "Always", kind: "allow_always" }
        ]
      }
      const answer = yield* ask(request)
      yield* say({
        type: "TextChunk",
        text: Option.match(answer, {
          onNone: () => "nothing",
          onSome: ({ action, content }) => `${action} ${String(content?.["optionId"] ?? "")}`.trim()
        })
      })
    })
})

const setup = Effect.fnUntraced(function*(options: Parameters<typeof Harness.make>[1] = {}) {
  const agent = yield* writer
  const harness = yield* Harness.make([agent], options)
  const id = yield* harness.open
  return { ...harness, agent, id, ...talk(harness) }
})

const talk = (
  { asked, finish, history, prompt, sessions }: Effect.Effect.Success<ReturnType<typeof Harness.over>>
) => ({
  /** A turn in which the permission is given. */
  allow: Effect.fnUntraced(function*(id: SessionId, file: string, optionId: string) {
    const run = yield* prompt(id, file)
    const question = yield* asked(id)
    yield* sessions.answer(id, question, { action: "accept", content: { optionId } })
    yield* finish(id, run)
  }),
  /** What the agent was told in a turn in which nobody answers. */
  told: Effect.fnUntraced(function*(id: SessionId, file: string) {
    const events = yield* Effect.flatMap(prompt(id, file), (run) => finish(id, run))
    return events.flatMap(({ event }) => event.type === "TextChunk" ? [event.text] : [])
  }),
  outcomes: (id: SessionId) =>
    Effect.map(
      history(id),
      (events) => events.flatMap(({ event }) => event.type === "ElicitationSettled" ? [event.outcome] : [])
    )
})

describe("Questions", () => {
  it.scoped("a permission that was given for always is not asked again, and the log says whose answer it was", () =>
    Effect.gen(function*() {
      const { allow, id, outcomes, sessions, told } = yield* setup()
      yield* allow(id, "a.txt", "always")
      expect(yield* told(id, "a.txt")).toStrictEqual(["accept always"])
      expect((yield* outcomes(id))[1]).toMatchObject({ action: "accept", by: "memory" })
      expect(yield* sessions.decisions(id)).toStrictEqual([
        { subject: "write a.txt", kind: "allow_always", optionId: "always" }
      ])
    }))

  it.scoped("the next life of the log knows it, too, until it is taken back", () =>
    Effect.gen(function*() {
      const agent = yield* writer
      const first = yield* Scope.make()
      const { log } = yield* Harness.faultyLog
      const before = yield* Scope.extend(Harness.over(log, [agent]), first)
      const id = yield* before.open
      yield* talk(before).allow(id, "a.txt", "always")
      yield* Scope.close(first, Exit.void)
      const after = yield* Harness.over(log, [agent])
      expect(yield* talk(after).told(id, "a.txt")).toStrictEqual(["accept always"])
      yield* after.sessions.revoke(id, "write a.txt")
      expect(yield* after.sessions.decisions(id)).toStrictEqual([])
      expect(yield* Effect.flip(after.sessions.revoke(id, "write a.txt"))).toMatchObject({ _tag: "DecisionNotFound" })
      yield* talk(after).allow(id, "a.txt", "once")
      expect(yield* talk(after).outcomes(id)).toHaveLength(3)
    }))

  it.scoped("EB8 the session's snapshot holds the questions that wait", () =>
    Effect.gen(function*() {
      const { asked, id, prompt, sessions } = yield* setup()
      yield* prompt(id, "a.txt")
      const question = yield* asked(id)
      expect(yield* sessions.get(id)).toMatchObject({
        pending: 1,
        elicitations: [{ id: question, kind: "permission" }]
      })
    }))

  it.scoped("EB9 a question has a deadline, the record says which, and the turn goes on without an answer", () =>
    Effect.gen(function*() {
      const { asked, finish, id, outcomes, prompt, sessions } = yield* setup({ deadline: "1 minute" })
      const run = yield* prompt(id, "a.txt")
      yield* asked(id)
      expect((yield* sessions.elicitations(id))[0]?.deadline).toBe("1970-01-01T00:01:00.000Z")
      yield* TestClock.adjust("1 minute")
      expect((yield* finish(id, run)).map(Harness.label).at(-1)).toBe("RunEnded(Completed)")
      expect(yield* outcomes(id)).toStrictEqual([{ _tag: "Expired" }])
    }))

  it.scoped("EB9 with nobody there a question is decided after a while; while somebody is, it waits", () =>
    Effect.gen(function*() {
      const { asked, finish, id, outcomes, prompt, sessions } = yield* setup({
        unattended: { after: "1 minute", then: "decline" }
      })
      const person = yield* Scope.make()
      yield* Scope.extend(sessions.attend(id), person)
      const run = yield* prompt(id, "a.txt")
      yield* asked(id)
      yield* TestClock.adjust("1 hour")
      expect(yield* sessions.elicitations(id)).toHaveLength(1)
      yield* Scope.close(person, Exit.void)
      yield* TestClock.adjust("1 minute")
      yield* finish(id, run)
      expect(yield* outcomes(id)).toStrictEqual([{ _tag: "Answered", action: "decline", by: "policy" }])
    }))

  it.scoped("what leads to a question is stored in one step with it, and a turn's last words with its end", () =>
    Effect.gen(function*() {
      const log = yield* Effect.map(Layer.build(EventLog.layerMemory), Context.get(EventLog.EventLog))
      const steps: Array<ReadonlyArray<string>> = []
      const prompted = yield* Deferred.make<void>()
      const { agent, signal } = yield* Harness.puppet({ prompt: Effect.asVoid(Deferred.succeed(prompted, void 0)) })
      const { asked, finish, open, prompt, seen, sessions } = yield* Harness.over({
        ...log,
        append: (session, drafts) => {
          steps.push(drafts.map(({ event }) => event.type))
          return log.append(session, drafts)
        }
      }, [agent])
      const id = yield* open
      const run = yield* prompt(id)
      yield* Deferred.await(prompted)
      const said = { _tag: "Said", event: { type: "TextChunk", text: "hm" } } as const
      steps.length = 0
      yield* signal(said, {
        _tag: "Asked",
        request: { kind: "confirmation", message: "Go on?" },
        reply: () => Effect.void,
        elsewhere: Effect.async<never>(() => {})
      })
      yield* sessions.answer(id, yield* asked(id), { action: "accept" })
      yield* seen(id, "ElicitationSettled")
      yield* signal(said, { _tag: "TurnEnded", run: run.runId, result: { _tag: "Stopped", stopReason: "end_turn" } })
      yield* finish(id, run)
      expect(steps.map((types) => types.join("+"))).toStrictEqual([
        "TextChunk+ElicitationRequested",
        "ElicitationSettled",
        "TextChunk+RunEnded"
      ])
      yield* signal(said, { _tag: "TurnEnded", run: run.runId, result: { _tag: "Stopped", stopReason: "end_turn" } })
      // what leads to nothing is stored all the same
      yield* seen(id, "TextChunk", 3)
    }))
})

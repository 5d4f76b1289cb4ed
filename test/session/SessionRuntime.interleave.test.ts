/**
 * Sessions in memory under `Interleave`: whoever ends a run, at whatever step, its story in the log is whole.
 */
import { describe, expect } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import { Interleave, ScriptedAgent } from "holdfast/testing"
import { it, leakFreeFile } from "holdfast/testing/vitest"
import { vi } from "vitest"
import type { Agent, AgentConnection, AgentSignal } from "../../src/agent/Agent.js"
import * as Content from "../../src/domain/Content.js"
import { AgentDied, type AgentError } from "../../src/domain/Errors.js"
import type { RunId } from "../../src/domain/Ids.js"
import * as Intake from "../../src/lifecycle/stream/Intake.js"
import type * as Link from "../../src/session/AgentLink.js"
import * as RunStream from "../../src/session/RunStream.js"
import * as Harness from "./Harness.js"
import * as InMemory from "./InMemory.js"

leakFreeFile()

// whoever gets a connection gives way before it is used, if the test says so: what else happens meanwhile is a matter of few operations
const link = vi.hoisted(() => ({ givesWay: false }))
vi.mock("../../src/session/AgentLink.js", async (original) => {
  const actual = await original<typeof Link>()
  const make: typeof Link.make = (owner) => {
    const made = actual.make(owner)
    return {
      get: Effect.tap(made.get, () => link.givesWay ? Effect.yieldNow() : Effect.void),
      current: made.current,
      drop: (reason) => made.drop(reason),
      close: made.close
    }
  }
  return { ...actual, make }
})

const died = new AgentDied({ exitCode: 3, signal: null, stderr: "", message: "the agent died: exit code 3" })
const confirmation = { kind: "confirmation", message: "Go on?" } as const
/** Not `Effect.never`, which holds a real timer. */
const hang = Effect.async<never>(() => {})

/** Asks several questions at once, and tells what became of them. */
const asking = ScriptedAgent.make({
  turn: ({ ask, say }) =>
    Effect.gen(function*() {
      // not `Effect.all` with concurrency: interrupted before its first step it hangs (Effect 3.22)
      const questions = yield* Effect.replicateEffect(Effect.fork(ask(confirmation)), 6)
      const answers = yield* Effect.forEach(questions, Fiber.join)
      yield* say({ type: "TextChunk", text: answers.map(Option.isSome).join() })
    })
})

type Signals = Intake.Intake<AgentSignal, AgentError>

/** An agent without a script: what `prompt` does in its nth turn, and what its connection does as soon as it is there. */
const driver = (
  name: string,
  behave: (signals: Signals, turn: number) => {
    readonly prompt: AgentConnection["prompt"]
    readonly leaves?: Effect.Effect<unknown>
  }
) =>
  Effect.sync((): Agent => {
    let turns = 0
    return {
      name,
      kind: "driver",
      description: name,
      connect: () =>
        Effect.gen(function*() {
          const signals = Intake.make<AgentSignal, AgentError>(16)
          yield* Effect.forkScoped(behave(signals, 0).leaves ?? Effect.void)
          return {
            agentSessionId: name,
            how: "opened",
            replayed: [],
            signals,
            prompt: (run, content) => behave(signals, ++turns).prompt(run, content),
            cancel: Effect.void,
            setMode: () => Effect.void,
            setConfigOption: () => Effect.void
          }
        })
    }
  })

/** Whoever may end a run. */
const enders: Record<
  string,
  (session: InMemory.InMemory, agent: ScriptedAgent.ScriptedAgent) => Effect.Effect<unknown, unknown>
> = {
  "a cancel": ({ id, sessions }) => sessions.cancel(id),
  "a restart": ({ id, sessions }) => Effect.flatten(sessions.restart(id, "requested")),
  "a close": ({ id, sessions }) => sessions.close(id),
  "a shutdown": ({ shutdown }) => shutdown,
  "the agent's death": (_, agent) =>
    Effect.flatMap(agent.live, ([voice]) => voice === undefined ? Effect.void : voice.die(died))
}

const options: Interleave.Options = { schedules: 100 }
/** For what is found only when one of many fibers stands still for long while all others go on. */
const oneStandsStill: Interleave.Options = { strategy: Interleave.pct(), schedules: 100 }

/** Waits for the end of the run. If it never comes, that is a deadlock, which `Interleave` finds. */
const follow = (session: InMemory.InMemory, run: { readonly runId: RunId; readonly seq: number }) =>
  Stream.runDrain(RunStream.follow(session.sessions, session.id, run))

describe("the end of a run", () => {
  for (const [ender, end] of Object.entries(enders)) {
    it.interleaved(
      `RS1 RS2 ${ender} at any step of a turn with questions leaves one end of each`,
      () =>
        Effect.gen(function*() {
          const agent = yield* asking
          const session = yield* InMemory.make(agent)
          const prompting = yield* Effect.fork(Effect.option(session.prompt("hello")))
          const ending = yield* Effect.fork(Effect.exit(end(session, agent)))
          const run = yield* Fiber.join(prompting)
          yield* Fiber.join(ending)
          // whoever has a run can end it
          yield* Effect.exit(session.sessions.cancel(session.id))
          if (Option.isSome(run)) yield* follow(session, run.value)
          yield* session.shutdown
          InMemory.checkHistory(yield* session.history)
          expect(yield* agent.live).toStrictEqual([])
        }).pipe(InMemory.repeatable),
      oneStandsStill
    )
  }

  it.interleaved(
    "RS2 a question that comes while its run fails is no obstacle for the next run",
    () =>
      Effect.gen(function*() {
        let replies = 0
        // asks as its first turn fails
        const agent = yield* driver("asks and fails", (signals, turn) => ({
          prompt: (run) =>
            turn === 1
              ? Effect.suspend(() => {
                signals.push([{
                  _tag: "Asked",
                  request: confirmation,
                  reply: () => Effect.sync(() => void replies++),
                  elsewhere: hang
                }])
                return Effect.fail(died)
              })
              : Effect.sync(() =>
                signals.push([{ _tag: "TurnEnded", run, result: { _tag: "Stopped", stopReason: "end_turn" } }])
              )
        }))
        const session = yield* InMemory.make(agent)
        yield* follow(session, yield* session.prompt("first"))
        yield* follow(session, yield* session.prompt("second"))
        yield* session.shutdown
        InMemory.checkHistory(yield* session.history)
        expect(replies).toBe(1)
      }).pipe(InMemory.repeatable),
    options
  )

  it.interleaved("AG2 a prompt that finds its agent leaving ends with it", () =>
    Effect.gen(function*() {
      const agent = yield* driver("leaves at once", (signals) => ({
        prompt: () => Effect.void,
        leaves: Effect.sync(() => signals.end(Exit.void))
      }))
      const session = yield* InMemory.make(agent)
      link.givesWay = true
      yield* follow(session, yield* session.prompt("hello"))
      yield* session.shutdown
      InMemory.checkHistory(yield* session.history)
    }).pipe(Effect.ensuring(Effect.sync(() => link.givesWay = false)), InMemory.repeatable), oneStandsStill)

  it.interleaved("RS1 a cancel whose caller leaves at any step is no half cancel", () =>
    Effect.gen(function*() {
      const running = yield* Deferred.make<void>()
      const agent = yield* ScriptedAgent.make({ turn: () => Effect.zipRight(Deferred.succeed(running, void 0), hang) })
      const session = yield* InMemory.make(agent)
      const run = yield* session.prompt("hello")
      yield* Deferred.await(running)
      const cancel = yield* Interleave.victim(session.sessions.cancel(session.id))
      yield* Fiber.await(cancel)
      yield* session.sessions.cancel(session.id)
      yield* follow(session, run)
      yield* session.shutdown
      InMemory.checkHistory(yield* session.history)
    }).pipe(InMemory.repeatable), { ...options, interruptAt: "every-step" })

  it.interleaved(
    "RS3 RS1 a prompt whose caller leaves at any step is a whole run or none",
    () =>
      Effect.gen(function*() {
        const agent = yield* ScriptedAgent.make({ turn: ({ say }) => say({ type: "TextChunk", text: "done" }) })
        const session = yield* InMemory.make(agent)
        const prompting = yield* Interleave.victim(session.prompt("hello"))
        yield* Fiber.await(prompting)
        yield* Effect.flatMap(session.prompt("again", "queue"), (run) => follow(session, run))
        yield* session.shutdown
        const history = yield* session.history
        InMemory.checkHistory(history)
        const outcomes = history.map(Harness.label).filter((label) => label.startsWith("RunEnded"))
        expect(new Set(outcomes)).toStrictEqual(new Set(["RunEnded(Completed)"]))
      }).pipe(InMemory.repeatable),
    { ...options, interruptAt: "every-step" }
  )
})

describe("questions", () => {
  it.interleaved(
    "EB3 two questions at once, answered in any order, each get their own answer",
    () =>
      Effect.gen(function*() {
        const told = yield* Deferred.make<ReadonlyArray<string>>()
        const question = (message: string) => ({
          kind: "permission" as const,
          message,
          options: ["a", "b"].map((optionId) => ({ optionId, name: optionId, kind: "allow_once" }))
        })
        const agent = yield* ScriptedAgent.make({
          turn: ({ ask }) =>
            Effect.gen(function*() {
              const questions = yield* Effect.forEach(["a", "b"], (name) => Effect.fork(ask(question(name))))
              const answers = yield* Effect.forEach(questions, Fiber.join)
              yield* Deferred.succeed(
                told,
                answers.map((answer) => String(Option.getOrUndefined(answer)?.content?.["optionId"]))
              )
            })
        })
        const { history, id, prompt, sessions, shutdown } = yield* InMemory.make(agent)
        const answer = (name: string) =>
          sessions.events({ session: id, after: 0 }).pipe(
            Stream.filter((entry) => entry.type === "ElicitationRequested"),
            Stream.mapEffect(() => sessions.elicitations(id)),
            Stream.filterMap((pending) => Option.fromNullable(pending.find(({ message }) => message === name))),
            Stream.runHead,
            Effect.flatten,
            Effect.flatMap((open) => sessions.answer(id, open.id, { action: "accept", content: { optionId: name } }))
          )
        const answering = yield* Effect.forEach(["b", "a"], (name) => Effect.fork(answer(name)))
        yield* prompt("hello")
        expect(yield* Deferred.await(told)).toStrictEqual(["a", "b"])
        yield* Effect.forEach(answering, Fiber.join)
        yield* shutdown
        InMemory.checkHistory(yield* history)
      }).pipe(InMemory.repeatable),
    options
  )
})

describe("prompts", () => {
  it.interleaved(
    "RS5 queued and steering prompts run one at a time, and each has an end",
    () =>
      Effect.gen(function*() {
        const agent = yield* ScriptedAgent.make({
          turn: ({ content, say }) =>
            Content.toText(content) === "hang" ? hang : say({ type: "TextChunk", text: Content.toText(content) })
        })
        const session = yield* InMemory.make(agent)
        const prompts = yield* Effect.forEach(
          [["hang", "queue"], ["first", "queue"], ["second", "steer"]] as const,
          ([text, whenBusy]) => Effect.fork(session.prompt(text, whenBusy))
        )
        const runs = yield* Effect.forEach(prompts, Fiber.join)
        // where the steering one came first, nothing has stopped the one that hangs
        yield* session.sessions.cancel(session.id)
        yield* Effect.forEach(runs, (run) => follow(session, run))
        yield* session.shutdown
        InMemory.checkHistory(yield* session.history)
      }).pipe(InMemory.repeatable),
    options
  )
})

describe("restarts", () => {
  it.interleaved(
    "a person who restarts an agent that is being brought back gets one, whatever becomes of the other at that moment",
    () =>
      Effect.gen(function*() {
        const agent = yield* ScriptedAgent.make({
          turn: () => Effect.void,
          onConnect: ({ attempt }) =>
            attempt === 2
              ? Effect.flatMap(
                Interleave.choose("the second", ["comes up", "fails", "hangs"]),
                (what) =>
                  what === "hangs"
                    ? hang
                    : Effect.zipRight(Effect.sleep("1 second"), what === "fails" ? Effect.fail(died) : Effect.void)
              )
              : Effect.void
        })
        const session = yield* InMemory.make(agent)
        yield* Effect.flatMap(agent.live, ([voice]) => voice?.die(died) ?? Effect.void)
        yield* Effect.sleep("1 second")
        yield* Effect.flatten(session.sessions.restart(session.id, "requested"))
        expect(yield* agent.live).toHaveLength(1)
        yield* session.shutdown
        InMemory.checkHistory(yield* session.history)
      }).pipe(InMemory.repeatable),
    { ...oneStandsStill, schedules: 300 }
  )
})

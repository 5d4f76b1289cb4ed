/**
 * Runs within runs under `Interleave`: whatever ends them, at whatever step of the agent's work, each has one end, in the right order.
 */
import { describe, expect } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Stream from "effect/Stream"
import { Interleave, ScriptedAgent } from "holdfast/testing"
import { it, leakFreeFile } from "holdfast/testing/vitest"
import { AgentDied } from "../../src/domain/Errors.js"
import { RunId } from "../../src/domain/Ids.js"
import * as RunStream from "../../src/session/RunStream.js"
import * as InMemory from "./InMemory.js"

leakFreeFile()

const died = new AgentDied({ exitCode: 3, signal: null, stderr: "", message: "the agent died: exit code 3" })
const confirmation = { kind: "confirmation", message: "Go on?" } as const
/** Not `Effect.never`, which holds a real timer. */
const hang = Effect.async<never>(() => {})
const child = RunId.make("run_child")
const inner = RunId.make("run_inner")
const background = RunId.make("run_background")

/** A sub-agent that has one itself, and one in the background; each speaks, and the innermost and the background one ask. */
const work: ScriptedAgent.Options["turn"] = ({ open, say }) =>
  Effect.gen(function*() {
    yield* Effect.forkScoped(
      open({ until: "session", run: background }, ({ ask, say }) =>
        Effect.zipRight(say({ type: "TextChunk", text: "background" }), Effect.asVoid(ask(confirmation))))
    )
    yield* open({ until: "parent", run: child }, ({ open, say }) =>
      Effect.gen(function*() {
        yield* say({ type: "TextChunk", text: "child" })
        yield* open({ until: "parent", run: inner }, ({ ask }) =>
          Effect.asVoid(ask(confirmation)))
      }))
    yield* say({ type: "TextChunk", text: "done" })
  })

type Strike = (session: InMemory.InMemory, agent: ScriptedAgent.ScriptedAgent) => Effect.Effect<unknown, unknown>

const strikes: Record<string, Strike> = {
  "the end of the turn": () => Effect.void,
  "a cancel": ({ id, sessions }) => sessions.cancel(id),
  "a cancel of the nested run": ({ id, sessions }) => sessions.cancel(id, child),
  "a cancel of the background run": ({ id, sessions }) => sessions.cancel(id, background),
  "a restart": ({ id, sessions }) => Effect.flatten(sessions.restart(id, "requested")),
  "a close": ({ id, sessions }) => sessions.close(id),
  "a shutdown": ({ shutdown }) => shutdown,
  "the agent's death": (_, agent) =>
    Effect.flatMap(agent.live, ([voice]) => voice === undefined ? Effect.void : voice.die(died))
}

/** Whoever has a run can end it, and it then ends. */
const finish = Effect.fnUntraced(function*(
  session: InMemory.InMemory,
  agent: ScriptedAgent.ScriptedAgent,
  run: { readonly runId: RunId; readonly seq: number }
) {
  yield* Effect.exit(session.sessions.cancel(session.id))
  yield* Stream.runDrain(RunStream.follow(session.sessions, session.id, run))
  yield* session.shutdown
  InMemory.checkHistory(yield* session.history)
  expect(yield* agent.live).toStrictEqual([])
})

describe("runs within runs", () => {
  for (const [name, strike] of Object.entries(strikes)) {
    it.interleaved(
      `RS1 RS2 RS6 ${name} at each step of the agent's work leaves one end of each run, in order`,
      () =>
        Effect.gen(function*() {
          const stuck = yield* Deferred.make<void>()
          const agent = yield* ScriptedAgent.make({
            turn: (turn) =>
              Effect.gen(function*() {
                const working = yield* Interleave.victim(work(turn))
                const exit = yield* Fiber.await(working)
                // the work stops here, with all open that is open
                yield* Deferred.succeed(stuck, void 0)
                if (name !== "the end of the turn" && Exit.isInterrupted(exit)) yield* hang
              })
          })
          const session = yield* InMemory.make(agent)
          const answering = yield* session.sessions.events({ session: session.id, after: 0 }).pipe(
            Stream.filter((entry) => entry.type === "ElicitationRequested" && entry.json.includes(inner)),
            Stream.runForEach(() =>
              Effect.flatMap(session.sessions.elicitations(session.id), (pending) =>
                Effect.forEach(
                  pending.filter(({ runId }) => runId === inner),
                  ({ id }) => Effect.exit(session.sessions.answer(session.id, id, { action: "accept" }))
                ))
            ),
            Effect.fork
          )
          const run = yield* session.prompt("hello")
          yield* Deferred.await(stuck)
          yield* Effect.exit(strike(session, agent))
          yield* Fiber.interrupt(answering)
          yield* finish(session, agent, run)
        }).pipe(InMemory.repeatable),
      { schedules: 30, interruptAt: "every-step" }
    )

    it.interleaved(
      `RS1 RS2 RS6 ${name} at any time, one fiber standing still, leaves one end of each run, in order`,
      () =>
        Effect.gen(function*() {
          const agent = yield* ScriptedAgent.make({ turn: work })
          const session = yield* InMemory.make(agent)
          const striking = yield* Effect.fork(Effect.exit(strike(session, agent)))
          const run = yield* Effect.option(session.prompt("hello"))
          yield* Fiber.join(striking)
          if (run._tag === "Some") yield* finish(session, agent, run.value)
        }).pipe(InMemory.repeatable),
      { strategy: Interleave.pct(), schedules: 100 }
    )
  }
})

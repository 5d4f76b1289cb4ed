/**
 * Every way out of a run: at each point at which the application's code or a model takes part, it returns, fails, dies, is interrupted, the
 * turn is cancelled, or the connection is closed. Whatever happens, each run that has begun has one end, which is its last word, its
 * questions have ended before it, its calls have results, and no fiber is left.
 */
import type * as AiError from "@effect/ai/AiError"
import { expect } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { AgentConnection, AgentSignal } from "../../../src/agent/Agent.js"
import type { Definition } from "../../../src/agent/loop/Definition.js"
import * as Hooks from "../../../src/agent/loop/Hooks.js"
import * as Toolset from "../../../src/agent/loop/Toolset.js"
import type { RunId } from "../../../src/domain/Ids.js"
import * as Interleave from "../../../src/testing/Interleave.js"
import { it, leakFreeFile } from "../../../src/testing/vitest.js"
import * as InMemory from "../../session/InMemory.js"
import * as Script from "./Script.js"

leakFreeFile()

const exits = ["returns", "fails", "dies", "interrupts", "cancelled", "closed"] as const
type ExitOf = typeof exits[number]

const others = [
  "toolset opens",
  "toolset lists",
  "model asked",
  "model speaks",
  "model is done",
  "model summarises",
  "tool checks",
  "tool called",
  "tool asks",
  "tool is done",
  "sub-agent's model",
  "sub-agent's tool",
  "background agent's model"
] as const
const points = [...Hooks.points.map((point) => `hook ${point}` as const), ...others]
type Point = typeof points[number]

interface Crossing {
  /** What happens at this point: the first time what is to be tried, then nothing. */
  readonly at: <E>(point: Point, error: E) => Effect.Effect<void, E>
  readonly reached: Effect.Effect<void>
}

const crossing = (where: Point, how: ExitOf): Effect.Effect<Crossing> =>
  Effect.gen(function*() {
    const reached = yield* Deferred.make<void>()
    const stays = Deferred.await(yield* Deferred.make<never>())
    const first = Deferred.succeed(reached, void 0)
    return {
      reached: Deferred.await(reached),
      at: (point, error) =>
        point !== where ? Effect.void : Effect.flatMap(first, (isFirst) => {
          if (!isFirst || how === "returns") return Effect.void
          if (how === "fails") return Effect.fail(error)
          if (how === "dies") return Effect.die("a bug")
          return how === "interrupts" ? Effect.interrupt : stays
        })
    }
  })

const crew = ({ at }: Crossing): Effect.Effect<Definition> =>
  Effect.gen(function*() {
    const broken: AiError.AiError = Script.status(400)
    const model = (point: Point) => Stream.drain(Stream.fromEffect(at(point, broken)))
    let asked = 0
    const boss = yield* Script.make([(prompt) => {
      if (JSON.stringify(prompt).includes("Summarise this")) {
        return Stream.concat(model("model summarises"), Script.says("well"))
      }
      if (asked++ > 0) return Script.says("done")
      const calls = Script.calls(
        ["write"],
        ["fails"],
        ["transfer", { agent: "hand", task: "t" }],
        ["start_agent", { agent: "night", task: "t" }]
      )
      return model("model asked").pipe(
        Stream.concat(Script.breaksOff("now")),
        Stream.concat(model("model speaks")),
        Stream.concat(calls),
        Stream.concat(model("model is done"))
      )
    }], { contextSize: 16 })
    const hand = yield* Script.make([
      () => Stream.concat(model("sub-agent's model"), Script.calls(["write"])),
      Script.says("helped")
    ])
    const night = yield* Script.make([() => Stream.concat(model("background agent's model"), Script.says("worked"))])

    const failure = new Toolset.ToolFailure({ message: "no" })
    const unavailable = new Toolset.ToolsetUnavailable({ toolset: "tools", message: "no" })
    const write = Script.tool("write", (_args, call) =>
      Effect.gen(function*() {
        yield* at("tool called", failure)
        yield* call.ask({ kind: "confirmation", message: "sure?" })
        yield* at("tool asks", failure)
        yield* call.progress({ title: "writing" })
        yield* at("tool is done", failure)
        return Toolset.text("written")
      }), { readOnly: false, check: () => at("tool checks", failure) })
    const fails = Script.tool("fails", () => Effect.fail(failure))
    return {
      name: "boss",
      model: boss.model,
      tools: [{
        name: "tools",
        open: () =>
          Effect.as(
            at("toolset opens", unavailable),
            Effect.as(at("toolset lists", unavailable), [write, fails])
          )
      }],
      hooks: Hooks.points.map((point) =>
        Hooks.on(point, () => Effect.as(at(`hook ${point}`, new Hooks.HookFailed({ hook: point, message: "no" })), {}))
      ),
      agents: [
        {
          name: "hand",
          model: hand.model,
          tools: Script.tools(
            Script.tool("write", () => Effect.as(at("sub-agent's tool", failure), Toolset.text("ok")), {
              readOnly: false
            })
          )
        },
        { name: "night", model: night.model }
      ]
    }
  })

/** What has happened, and what may not. */
const ledger = () => {
  const runs = new Map<
    RunId,
    { ended: boolean; readonly calls: Set<string>; readonly asked: Array<Effect.Effect<boolean>> }
  >()
  const begin = (run: RunId) => {
    expect(runs.has(run), `${run} begins once`).toBe(false)
    runs.set(run, { ended: false, calls: new Set(), asked: [] })
  }
  begin(Script.runId)
  const of = (run: RunId | undefined, what: string) => {
    const found = run === undefined ? undefined : runs.get(run)
    if (run !== undefined) expect(found?.ended, `${what} belongs to a run that is open`).toBe(false)
    return found
  }
  return {
    runs,
    hear: (signal: AgentSignal): Effect.Effect<void, never, Scope.Scope> => {
      switch (signal._tag) {
        case "RunOpened":
          if (signal.until === "parent") of(signal.parent, "a nested run")
          return Effect.sync(() => begin(signal.run))
        case "Said": {
          const run = of(signal.run, signal.event.type)
          if (signal.event.type === "ToolCallStarted") run?.calls.add(signal.event.toolCallId)
          if (signal.event.type === "ToolCallEnded") expect(run?.calls.delete(signal.event.toolCallId)).toBe(true)
          return Effect.void
        }
        case "Asked": {
          const accept = { action: "accept" as const, content: { optionId: "allow" } }
          let answered = false
          const reply = Effect.suspend(() => {
            answered = true
            return signal.reply(Option.some(accept))
          })
          return Effect.gen(function*() {
            const taken = yield* Effect.forkScoped(signal.elsewhere)
            of(signal.run, "a question")?.asked.push(Effect.gen(function*() {
              const over = answered || Option.isSome(yield* Fiber.poll(taken))
              yield* Fiber.interrupt(taken)
              return over
            }))
            // as a person would: not at once
            yield* Effect.yieldNow()
            yield* reply
          })
        }
        case "TurnEnded":
          return Effect.gen(function*() {
            const run = of(signal.run, "an end")
            expect(run, "what ends has begun").toBeDefined()
            if (run === undefined) return
            run.ended = true
            expect([...run.calls], "calls without an end").toEqual([])
            for (const over of run.asked) expect(yield* over, "a question is over when its run is").toBe(true)
          })
      }
    }
  }
}

const program = (where: Point, how: ExitOf) =>
  Effect.gen(function*() {
    const cross = yield* crossing(where, how)
    const scope = yield* Scope.make()
    const connection: AgentConnection = yield* Scope.extend(Script.connect(yield* crew(cross)), scope)
    const { hear, runs } = ledger()
    const listening = yield* Effect.fork(Effect.gen(function*() {
      let done = false
      while (!done && ![...runs.values()].every(({ ended }) => ended)) {
        const [signals, isDone] = yield* connection.signals.takeAll
        done = isDone
        yield* Effect.forEach(signals, hear)
      }
    }))
    const interferes = yield* Effect.fork(Effect.zipRight(
      cross.reached,
      how === "closed" ? Scope.close(scope, Exit.void) : how === "cancelled"
        ? Effect.forEach([...runs.keys()], (run) => connection.cancelRun?.(run) ?? Effect.void)
        : Effect.void
    ))
    yield* Script.prompt(connection, "go")
    yield* Fiber.join(listening)
    yield* Scope.close(scope, Exit.void)
    yield* Fiber.join(interferes)
    if (how !== "closed") {
      expect([...runs.values()].map(({ ended }) => ended)).toEqual([...runs.values()].map(() => true))
    }
  }).pipe(InMemory.repeatable)

/** An agent that has nothing to start comes up for its first turn: so does what ends it. */
const asleep = (how: "cancelled" | "closed") =>
  Effect.gen(function*() {
    const scope = yield* Scope.make()
    const { model } = yield* Script.make([Script.calls(["look"]), Script.says("done")])
    const tools = Script.tools(Script.tool("look"))
    const connection = yield* Scope.extend(Script.connect({ name: "clerk", model, tools }), scope)
    const ends = yield* Effect.fork(Effect.gen(function*() {
      let ended = 0
      for (let done = false; !done && ended === 0;) {
        const [signals, last] = yield* connection.signals.takeAll
        ended += [...signals].filter(({ _tag }) => _tag === "TurnEnded").length
        done = last
      }
      return ended
    }))
    yield* Effect.all([
      Script.prompt(connection, "go"),
      how === "closed" ? Scope.close(scope, Exit.void) : connection.cancel
    ], { concurrency: 2 })
    const ended = yield* Fiber.join(ends)
    yield* Scope.close(scope, Exit.void)
    if (how !== "closed") expect(ended).toBe(1)
  }).pipe(InMemory.repeatable)

it.live(
  "an agent that comes up for its first turn is ended with it, or never begins (RS1, RS2)",
  () =>
    Effect.gen(function*() {
      for (const how of ["cancelled", "closed"] as const) {
        const report = yield* Interleave.explore(asleep(how), { schedules: 100, seed: 7 })
        expect(report, how).toMatchObject({ _tag: "Passed" })
      }
    }),
  60_000
)

it.live(
  "every exit of a run is one end, whatever happens at whatever point (RS1, RS2)",
  () =>
    Effect.gen(function*() {
      let covered = 0
      let schedules = 0
      for (const where of points) {
        for (const how of exits) {
          const report = yield* Interleave.explore(program(where, how), {
            schedules: 1,
            seed: covered + 1,
            granularity: "async"
          })
          if (report._tag === "Failed") {
            return yield* Effect.dieMessage(`${where} ${how}: ${JSON.stringify(report, undefined, 2).slice(0, 6000)}`)
          }
          covered++
          schedules += report.schedules
        }
      }
      yield* Effect.log(`${covered} exits at ${points.length} points, in ${schedules} schedules`)
      expect(covered).toBe(points.length * exits.length)
    }),
  180_000
)

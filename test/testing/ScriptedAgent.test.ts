import { assert, describe, it } from "@effect/vitest"
import * as Chunk from "effect/Chunk"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import * as TestClock from "effect/TestClock"
import type { AgentConnection, AgentSignal, ConnectOptions } from "../../src/agent/Agent.js"
import * as Content from "../../src/domain/Content.js"
import { AgentDied, AgentRequestFailed } from "../../src/domain/Errors.js"
import { RunId, SessionId } from "../../src/domain/Ids.js"
import * as ScriptedAgent from "../../src/testing/ScriptedAgent.js"

const run = Schema.decodeSync(RunId)("run_1")
const hello = [Content.text("hello")]
const options: ConnectOptions = {
  sessionId: Schema.decodeSync(SessionId)("ses_1"),
  cwd: "/tmp",
  resume: Option.none()
}
const died = new AgentDied({ exitCode: 3, signal: null, stderr: "oops", message: "the agent died" })
const text = (text: string) => ({ type: "TextChunk", text }) as const
const question = { kind: "confirmation", message: "Shall I?" } as const

const nothingMore = Effect.fnUntraced(function*(connection: AgentConnection) {
  const more = yield* Effect.fork(connection.signals.takeAll)
  yield* TestClock.adjust("1 second")
  assert.isNull(more.unsafePoll())
  yield* Fiber.interrupt(more)
})

/** Reads signals until the open turn has ended. */
const untilEnd = (connection: AgentConnection) =>
  Effect.gen(function*() {
    const read: Array<AgentSignal> = []
    while (read.at(-1)?._tag !== "TurnEnded") read.push(yield* connection.signals.take)
    return read
  })

const ended = (result: Extract<AgentSignal, { _tag: "TurnEnded" }>["result"]): AgentSignal => ({
  _tag: "TurnEnded",
  run,
  result
})

describe("ScriptedAgent", () => {
  it.scoped("a turn says what its program says, and its end comes last", () =>
    Effect.gen(function*() {
      const agent = yield* ScriptedAgent.make({
        turn: ({ content, say }) =>
          // a child that is still at it when the program ends has spoken its last before the turn's end
          Effect.zipRight(Effect.fork(Effect.forever(say(text("child")))), say(text(Content.toText(content))))
      })
      const connection = yield* agent.connect(options)
      yield* connection.prompt(run, hello)
      const signals = yield* untilEnd(connection)
      assert.deepInclude(signals, { _tag: "Said", event: text("hello"), run: undefined })
      assert.deepStrictEqual(signals.at(-1), ended({ _tag: "Stopped", stopReason: "end_turn" }))
      yield* nothingMore(connection)
    }))

  it.scoped("the program's value is the stop reason and its failure is the turn's", () =>
    Effect.gen(function*() {
      const failure = new AgentRequestFailed({ method: "session/prompt", code: -32603, message: "no" })
      const agent = yield* ScriptedAgent.make({
        turn: ({ content }) => Content.toText(content) === "hello" ? Effect.succeed("refusal") : Effect.fail(failure)
      })
      const connection = yield* agent.connect(options)
      yield* connection.prompt(run, hello)
      assert.deepStrictEqual(yield* untilEnd(connection), [ended({ _tag: "Stopped", stopReason: "refusal" })])
      yield* connection.prompt(run, [Content.text("fail")])
      assert.deepStrictEqual(yield* untilEnd(connection), [ended({ _tag: "Failed", error: failure })])
    }))

  it.scoped("a question waits for its reply", () =>
    Effect.gen(function*() {
      const agent = yield* ScriptedAgent.make({
        turn: ({ ask, say }) =>
          Effect.flatMap(ask(question), (answer) =>
            say(text(Option.match(answer, { onNone: () => "nobody", onSome: ({ action }) => action }))))
      })
      const connection = yield* agent.connect(options)
      for (
        const [reply, said] of [[Option.none(), "nobody"], [
          Option.some({ action: "accept" } as const),
          "accept"
        ]] as const
      ) {
        yield* connection.prompt(run, hello)
        const asked = yield* connection.signals.take
        assert(asked._tag === "Asked")
        assert.deepStrictEqual(asked.request, question)
        yield* asked.reply(reply)
        assert.deepStrictEqual((yield* untilEnd(connection))[0], { _tag: "Said", event: text(said), run: undefined })
      }
    }))

  it.scoped("cancel interrupts the turn, which takes its question back and ends cancelled", () =>
    Effect.gen(function*() {
      const agent = yield* ScriptedAgent.make({ turn: ({ ask }) => Effect.asVoid(ask(question)) })
      const connection = yield* agent.connect(options)
      yield* connection.cancel
      yield* connection.prompt(run, hello)
      const asked = yield* connection.signals.take
      assert(asked._tag === "Asked")
      yield* connection.cancel
      assert.deepStrictEqual(yield* asked.elsewhere, { _tag: "Withdrawn", reason: "the agent took it back" })
      assert.deepStrictEqual(yield* untilEnd(connection), [ended({ _tag: "Stopped", stopReason: "cancelled" })])
    }))

  it.scoped("a turn that is cancelled before it began has an end too", () =>
    Effect.gen(function*() {
      const agent = yield* ScriptedAgent.make({ turn: () => Effect.never })
      const connection = yield* agent.connect(options)
      yield* connection.prompt(run, hello)
      yield* connection.cancel
      assert.deepStrictEqual(yield* untilEnd(connection), [ended({ _tag: "Stopped", stopReason: "cancelled" })])
    }))

  it.scoped("an agent that ignores cancel goes on to its own end", () =>
    Effect.gen(function*() {
      const gate = yield* Deferred.make<void>()
      const agent = yield* ScriptedAgent.make({ ignoresCancel: true, turn: () => Deferred.await(gate) })
      const connection = yield* agent.connect(options)
      yield* connection.prompt(run, hello)
      yield* Effect.yieldNow()
      yield* connection.cancel
      yield* nothingMore(connection)
      yield* Deferred.succeed(gate, undefined)
      assert.deepStrictEqual(yield* untilEnd(connection), [ended({ _tag: "Stopped", stopReason: "end_turn" })])
    }))

  it.scoped("an agent that dies fails its signals after the last word, tells no end, and takes no more prompts", () =>
    Effect.gen(function*() {
      const agent = yield* ScriptedAgent.make({
        turn: ({ die, say }) =>
          say(text("last")).pipe(Effect.zipRight(die(died)), Effect.zipRight(say(text("posthumous"))))
      })
      const connection = yield* agent.connect(options)
      yield* connection.prompt(run, hello)
      assert.deepStrictEqual(yield* connection.signals.take, { _tag: "Said", event: text("last"), run: undefined })
      assert.strictEqual(yield* Effect.flip(connection.signals.take), died)
      assert.strictEqual(yield* Effect.flip(connection.prompt(run, hello)), died)
    }))

  it.scoped("a defect in the script is not mistaken for an end", () =>
    Effect.gen(function*() {
      const agent = yield* ScriptedAgent.make({
        turn: () => {
          throw new Error("bug in the test")
        }
      })
      const connection = yield* agent.connect(options)
      yield* connection.prompt(run, hello)
      assert.deepStrictEqual(yield* Effect.exit(connection.signals.take), Exit.die(new Error("bug in the test")))
    }))

  it.scoped("signals are bounded: who speaks waits until somebody reads", () =>
    Effect.gen(function*() {
      let spoken = 0
      const agent = yield* ScriptedAgent.make({
        capacity: 2,
        turn: ({ say }) => Effect.forever(Effect.tap(say(text("more")), () => Effect.sync(() => spoken++)))
      })
      const connection = yield* agent.connect(options)
      yield* connection.prompt(run, hello)
      yield* TestClock.adjust("1 second")
      assert.strictEqual(spoken, 2)
      yield* Effect.replicateEffect(connection.signals.take, 2)
      yield* TestClock.adjust("1 second")
      assert.strictEqual(spoken, 4)
    }))

  it.scoped("connecting can fail, and the next attempt succeed", () =>
    Effect.gen(function*() {
      const agent = yield* ScriptedAgent.make({
        onConnect: ({ attempt }) => attempt === 1 ? Effect.fail(died) : Effect.void,
        turn: () => Effect.void
      })
      assert.strictEqual(yield* Effect.flip(Effect.scoped(agent.connect(options))), died)
      assert.strictEqual((yield* agent.connect(options)).agentSessionId, "scripted-2")
      assert.strictEqual(yield* agent.connects, 2)
      assert.strictEqual((yield* agent.live).length, 1)
    }))

  it.scoped("connecting can hang, and be given up", () =>
    Effect.gen(function*() {
      const agent = yield* ScriptedAgent.make({ onConnect: () => Effect.never, turn: () => Effect.void })
      const fiber = yield* Effect.fork(Effect.scoped(agent.connect(options)))
      yield* Effect.yieldNow()
      assert.strictEqual((yield* agent.live).length, 1)
      yield* Fiber.interrupt(fiber)
      assert.strictEqual((yield* agent.live).length, 0)
    }))

  it.scoped("what it says before connect returns, and between turns, is there", () =>
    Effect.gen(function*() {
      const agent = yield* ScriptedAgent.make({
        onConnect: ({ say }) =>
          Effect.zipRight(say(text("early")), Effect.forkScoped(Effect.delay(say(text("between")), "1 second"))),
        turn: ({ say }) => Effect.asVoid(Effect.forkScoped(Effect.delay(say(text("late")), "2 seconds")))
      })
      const connection = yield* agent.connect(options)
      yield* connection.prompt(run, hello)
      yield* TestClock.adjust("2 seconds")
      const [signals] = yield* connection.signals.takeAll
      assert.deepStrictEqual(
        Chunk.toReadonlyArray(signals).map((signal) =>
          signal._tag === "Said" && signal.event.type === "TextChunk" ? signal.event.text : signal._tag
        ),
        ["early", "TurnEnded", "between", "late"]
      )
    }))

  it.scoped("it resumes as the script says, and has forgotten by default", () =>
    Effect.gen(function*() {
      const again = { ...options, resume: Option.some("before") }
      const loads = yield* ScriptedAgent.make({
        onResume: (id) => Effect.succeed({ how: "loaded", replayed: [text(id)] }),
        turn: () => Effect.void
      })
      const loaded = yield* loads.connect(again)
      assert.deepStrictEqual([loaded.how, loaded.agentSessionId], ["loaded", "before"])
      assert.deepStrictEqual(loaded.replayed, [text("before")])
      const forgets = yield* ScriptedAgent.make({ turn: () => Effect.void })
      const opened = yield* forgets.connect(again)
      assert.deepStrictEqual([opened.how, opened.agentSessionId], ["opened", "scripted-1"])
    }))

  it.effect("closing the scope ends the turn without telling an end, and leaves no fiber", () =>
    Effect.gen(function*() {
      const stopped: Array<string> = []
      const trace = (name: string) => Effect.onInterrupt(Effect.never, () => Effect.sync(() => stopped.push(name)))
      const agent = yield* ScriptedAgent.make({
        onConnect: () => Effect.forkScoped(trace("background")),
        turn: () => trace("turn")
      })
      const scope = yield* Scope.make()
      const before = new Set(Fiber.unsafeRoots())
      const connection = yield* Scope.extend(agent.connect(options), scope)
      yield* connection.prompt(run, hello)
      yield* Effect.yieldNow()
      yield* Scope.close(scope, Exit.void)
      assert.deepStrictEqual(stopped, ["turn", "background"])
      const [, done] = yield* connection.signals.takeAll
      assert.isTrue(done)
      assert.strictEqual((yield* agent.live).length, 0)
      assert.deepStrictEqual(Array.from(Fiber.unsafeRoots()).filter((fiber) => !before.has(fiber)), [])
    }))
})

import { describe, expect, it } from "@effect/vitest"
import * as Chunk from "effect/Chunk"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import type { Conversation } from "../../src/cli/Conversation.js"
import * as Follow from "../../src/cli/Follow.js"
import { Screen } from "../../src/cli/Screen.js"
import type { SessionEvent } from "../../src/domain/AgentEvent.js"
import type { ElicitationAnswer } from "../../src/domain/Elicitation.js"
import { ElicitationAlreadySettled, ElicitationAnswerInvalid } from "../../src/domain/Errors.js"
import { ElicitationId, SessionId } from "../../src/domain/Ids.js"
import { StoredEvent } from "../../src/domain/StoredEvent.js"
import * as EventLog from "../../src/log/EventLog.js"
import * as Terminal from "./terminal.js"

const { ctrlC, down, enter } = Terminal

const session = SessionId.make("ses_a")
const decode = Schema.decodeSync(Schema.parseJson(StoredEvent))

const text = (text: string): SessionEvent => ({ type: "TextChunk", text })
const end: SessionEvent = { type: "RunEnded", outcome: { _tag: "Completed", stopReason: "end_turn" } }
const asks = (name: string): SessionEvent => ({
  type: "ElicitationRequested",
  elicitation: {
    id: ElicitationId.make(`eli_${name}`),
    sessionId: session,
    kind: "permission",
    message: `May I ${name}?`,
    options: [
      { optionId: "no", name: "Reject", kind: "reject_once" },
      { optionId: "yes", name: "Allow", kind: "allow_once" }
    ]
  }
})
const withdrawn = (name: string): SessionEvent => ({
  type: "ElicitationSettled",
  elicitationId: ElicitationId.make(`eli_${name}`),
  outcome: { _tag: "Withdrawn", reason: "gone" }
})

const defaults: Follow.Options = { after: 1, json: false, prompts: false, consent: false, unasked: "decline" }

/** A session that records what is appended, and settles what is answered; `refuse` judges an answer first. */
const setup = Effect.fnUntraced(function*(options: Partial<Follow.Options> & {
  readonly interactive?: boolean
  readonly refuse?: Conversation["answer"]
} = {}) {
  const log = Context.get(yield* Layer.build(EventLog.layerMemory), EventLog.EventLog)
  const terminal = yield* Terminal.make
  const stdout: Array<string> = []
  const stderr: Array<string> = []
  const answers: Array<readonly [string, ElicitationAnswer]> = []
  const interrupted = yield* Deferred.make<void>()
  const append = (...events: ReadonlyArray<SessionEvent>) =>
    Effect.orDie(log.append(session, events.map((event) => ({ event }))))
  yield* append({ type: "SessionOpened", agent: "demo", cwd: "/" })

  const conversation: Conversation = {
    events: (after) =>
      log.tail({ session, after }).pipe(
        Stream.orDie,
        Stream.mapChunks(Chunk.map(({ json }) => ({ json, stored: decode(json) })))
      ),
    pending: Effect.gen(function*() {
      const { pending } = yield* Effect.orDie(log.state(session))
      return pending.flatMap((id) => {
        const event = asks(id.slice(4))
        return event.type === "ElicitationRequested" ? [event.elicitation] : []
      })
    }),
    answer: (elicitationId, answer) =>
      (options.refuse?.(elicitationId, answer) ?? Effect.void).pipe(
        Effect.zipRight(append({
          type: "ElicitationSettled",
          elicitationId,
          outcome: { _tag: "Answered", ...answer }
        })),
        Effect.zipRight(Effect.sync(() => void answers.push([elicitationId, answer])))
      )
  }
  const screen = Screen.of({
    live: options.interactive === true,
    color: false,
    interactive: options.interactive === true,
    rows: 24,
    write: (text) => Effect.sync(() => void stdout.push(text)),
    note: (line) => Effect.sync(() => void stderr.push(line)),
    interrupt: Effect.zipRight(Deferred.succeed(interrupted, undefined), Effect.never)
  })
  const follow = yield* Follow.make(conversation, { ...defaults, ...options }).pipe(
    Effect.provideService(Screen, screen)
  )
  const fiber = yield* follow.until(({ event }) => event.type === "RunEnded").pipe(
    Effect.provide(terminal.layer),
    Effect.fork
  )
  const until = (condition: Effect.Effect<boolean>) => Effect.repeat(Effect.yieldNow(), { until: () => condition })
  return {
    append,
    answers,
    follow,
    interrupted,
    fiber,
    stderr,
    terminal,
    done: Fiber.join(fiber),
    out: Effect.sync(() => stdout.join("")),
    prompted: (count: number) => until(Effect.map(terminal.prompts, (prompts) => prompts >= count)),
    written: (part: string) => until(Effect.sync(() => stdout.join("").includes(part)))
  }
})

describe("Follow", () => {
  it.scoped("EB3 of two questions at once the person chooses the first, and each answer goes to its own", () =>
    Effect.gen(function*() {
      const { answers, append, done, out, prompted, terminal } = yield* setup({ interactive: true })
      yield* append(asks("read"), asks("write"))
      yield* prompted(1)
      yield* terminal.type(down, enter)
      yield* prompted(2)
      yield* terminal.type(enter)
      yield* prompted(3)
      yield* terminal.type(down, enter)
      yield* append(text("done"), end)
      yield* done
      expect(answers).toEqual([
        ["eli_write", { action: "accept", content: { optionId: "no" } }],
        ["eli_read", { action: "accept", content: { optionId: "yes" } }]
      ])
      // the prompt has told what was asked and answered
      expect(yield* out).toBe("done\n✔ completed\n")
    }))

  it.scoped("EB3 a question that comes while another is open can be answered first", () =>
    Effect.gen(function*() {
      const { answers, append, done, prompted, terminal } = yield* setup({ interactive: true })
      yield* append(asks("read"))
      yield* prompted(1)
      yield* append(asks("write"))
      yield* prompted(2)
      yield* terminal.type(down, enter)
      yield* prompted(3)
      yield* terminal.type(enter)
      yield* prompted(4)
      yield* terminal.type(enter)
      yield* append(end)
      yield* done
      expect(answers.map(([id]) => id)).toEqual(["eli_write", "eli_read"])
    }))

  it.scoped("nothing is drawn over an open prompt; what came meanwhile is shown after it", () =>
    Effect.gen(function*() {
      const { append, done, out, prompted, terminal } = yield* setup({ interactive: true })
      yield* append(text("before"), asks("read"), text("meanwhile"))
      yield* prompted(1)
      expect(yield* out).toBe("before\n")
      yield* terminal.type(enter)
      yield* append(end)
      yield* done
      expect(yield* out).toBe("before\nmeanwhile\n✔ completed\n")
    }))

  it.scoped("EB4 a question that is withdrawn closes its prompt", () =>
    Effect.gen(function*() {
      const { answers, append, done, out, prompted } = yield* setup({ interactive: true })
      yield* append(asks("read"), asks("write"))
      yield* prompted(1)
      yield* append(withdrawn("read"))
      yield* prompted(2)
      // told before the next question, which the log has first
      expect(yield* out).toBe("\n  withdrawn: gone\n")
      yield* append(withdrawn("write"), end)
      yield* done
      expect(yield* out).toBe("\n  withdrawn: gone\n\n  withdrawn: gone\n✔ completed\n")
      expect(answers).toEqual([])
    }))

  it.scoped("EB8 a question that ended long ago is history and not asked again", () =>
    Effect.gen(function*() {
      const { append, done, out, terminal } = yield* setup({ interactive: true })
      yield* append(asks("read"), withdrawn("read"), end)
      yield* done
      expect(yield* terminal.prompts).toBe(0)
      expect(yield* out).toBe("? May I read?\n  withdrawn: gone\n✔ completed\n")
    }))

  it.scoped("EB7 an answer that is refused is asked for again, with the reason", () =>
    Effect.gen(function*() {
      let refused = 0
      const { answers, append, done, out, prompted, terminal } = yield* setup({
        interactive: true,
        refuse: (elicitationId) =>
          refused++ === 0
            ? new ElicitationAnswerInvalid({ elicitationId, issues: [], message: "not that one" })
            : Effect.void
      })
      yield* append(asks("read"))
      yield* prompted(1)
      yield* terminal.type(enter)
      yield* prompted(2)
      yield* terminal.type(down, enter)
      yield* append(end)
      yield* done
      expect(answers).toEqual([["eli_read", { action: "accept", content: { optionId: "yes" } }]])
      expect(yield* out).toBe("✖ not that one\n✔ completed\n")
    }))

  it.scoped("EB6 an answer that came too late is shown as what the question got", () =>
    Effect.gen(function*() {
      const outcome = { _tag: "Withdrawn", reason: "gone" } as const
      const { append, done, out, prompted, terminal } = yield* setup({
        interactive: true,
        refuse: (elicitationId) => new ElicitationAlreadySettled({ elicitationId, outcome, message: "too late" })
      })
      yield* append(asks("read"))
      yield* prompted(1)
      yield* terminal.type(enter)
      yield* append(withdrawn("read"), end)
      yield* done
      expect(yield* out).toMatch(/ {2}withdrawn: gone\n✔ completed\n$/)
    }))

  it.scoped("Ctrl-C within a prompt is the interruption that it is elsewhere", () =>
    Effect.gen(function*() {
      const { append, fiber, follow, interrupted, out, prompted, terminal, written } = yield* setup({
        interactive: true
      })
      yield* append(text("before"), asks("read"))
      yield* prompted(1)
      yield* terminal.type(ctrlC)
      yield* Deferred.await(interrupted)
      yield* Fiber.interrupt(fiber)
      // and the rest is shown from where it stopped, without another question
      yield* follow.standBack
      yield* append(withdrawn("read"), asks("write"), end)
      const last = yield* follow.until(({ event }) => event.type === "RunEnded").pipe(Effect.provide(terminal.layer))
      expect(Option.map(last, ({ event }) => event.type)).toEqual(Option.some("RunEnded"))
      yield* written("completed")
      expect(yield* out).toBe("before\n\n  withdrawn: gone\n? May I write?\n✔ completed\n")
      expect(yield* terminal.prompts).toBe(1)
    }))

  it.scoped("an interruption loses nothing: what comes after it is shown once, and so was what came before", () =>
    Effect.gen(function*() {
      const { append, fiber, follow, out, terminal, written } = yield* setup()
      yield* append(text("a"), text("b"))
      yield* written("ab")
      yield* Fiber.interrupt(fiber)
      yield* append(text("c"), end)
      yield* follow.until(({ event }) => event.type === "RunEnded").pipe(Effect.provide(terminal.layer))
      expect(yield* out).toBe("abc\n✔ completed\n")
    }))

  it.scoped("where nobody can be asked a question is declined, and that is said", () =>
    Effect.gen(function*() {
      const { answers, append, done, out, stderr } = yield* setup()
      yield* append(asks("read"))
      yield* Effect.repeat(Effect.yieldNow(), { until: () => answers.length > 0 })
      yield* append(end)
      yield* done
      expect(answers).toEqual([["eli_read", { action: "decline" }]])
      expect(stderr).toEqual(["declined \"May I read?\": nobody can be asked here; --yes accepts what is asked"])
      expect(yield* out).toBe("? May I read?\n  declined\n✔ completed\n")
    }))

  it.scoped("someone who only looks on leaves a question to others, and says how to answer it", () =>
    Effect.gen(function*() {
      const { answers, append, done, stderr } = yield* setup({ unasked: "leave" })
      yield* append(asks("read"))
      yield* Effect.repeat(Effect.yieldNow(), { until: () => stderr.length > 0 })
      yield* append(withdrawn("read"), end)
      yield* done
      expect(answers).toEqual([])
      expect(stderr).toEqual([
        "\"May I read?\" waits for: holdfast answer ses_a eli_read accept|decline|cancel"
      ])
    }))

  it.scoped("--yes answers without a prompt", () =>
    Effect.gen(function*() {
      const { answers, append, done, terminal } = yield* setup({ interactive: true, consent: true })
      yield* append(asks("read"))
      yield* Effect.repeat(Effect.yieldNow(), { until: () => answers.length > 0 })
      yield* append(end)
      yield* done
      expect(answers).toEqual([["eli_read", { action: "accept", content: { optionId: "yes" } }]])
      expect(yield* terminal.prompts).toBe(0)
    }))

  it.scoped("--json writes the stored events as lines and nothing else, and asks nobody", () =>
    Effect.gen(function*() {
      const { append, done, out, terminal } = yield* setup({ interactive: true, json: true })
      yield* append(text("a"), asks("read"))
      yield* Effect.repeat(Effect.yieldNow(), { times: 50 })
      yield* append(end)
      yield* done
      const events = (yield* out).trimEnd().split("\n").map((line) => decode(line))
      expect(events.map(({ event, seq }) => [seq, event.type])).toEqual([
        [2, "TextChunk"],
        [3, "ElicitationRequested"],
        [4, "ElicitationSettled"],
        [5, "RunEnded"]
      ])
      expect(yield* terminal.prompts).toBe(0)
    }))
})

import { describe, expect, it } from "@effect/vitest"
import * as FastCheck from "effect/FastCheck"
import * as Conversation from "../../../console/model/Conversation.js"
import type * as Items from "../../../console/model/Items.js"
import { RunId, SessionId } from "../../../src/domain/Ids.js"
import * as Session from "../../../src/domain/Session.js"
import type { StoredEvent } from "../../../src/domain/StoredEvent.js"
import {
  connected,
  during,
  ended,
  history,
  opened,
  permission,
  question,
  run,
  type Said,
  started,
  text
} from "./events.js"
import "../../seed.js"

const fold = (...said: ReadonlyArray<Said>) => Conversation.fold(Conversation.empty, history(...said))

const ofKind = <Kind extends Items.Item["kind"]>({ items }: Conversation.Conversation, kind: Kind) =>
  items.filter((item): item is Extract<Items.Item, { readonly kind: Kind }> => item.kind === kind)

const freeze = <A>(value: A): A => {
  if (typeof value === "object" && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value)
    for (const each of Object.values(value)) freeze(each)
  }
  return value
}

const child = RunId.make("run_child")
const nested: ReadonlyArray<Said> = [
  [{
    type: "RunStarted",
    prompt: [{ type: "text", text: "look it up" }],
    until: "parent",
    parentRunId: run,
    agent: "librarian"
  }, child],
  [{ type: "TextChunk", text: "found it" }, child],
  [{ type: "RunEnded", outcome: { _tag: "Completed", stopReason: "end_turn" } }, child]
]

/** Everything that is told apart, in any order: also what no gateway would send. */
const said = FastCheck.constantFrom<Said>(
  opened,
  connected,
  started,
  text("one "),
  text("two\n\n"),
  during({ type: "ThoughtChunk", text: "hm" }),
  during({ type: "ToolCallStarted", toolCallId: "a", title: "A", status: "pending" }),
  during({ type: "ToolCallUpdated", toolCallId: "a", status: "in_progress" }),
  during({ type: "ToolCallUpdated", toolCallId: "b", content: [{ type: "terminal", terminalId: "p" }] }),
  during({ type: "ToolCallEnded", toolCallId: "a", status: "completed" }),
  during({ type: "PlanUpdated", entries: [{ content: "do", priority: "high", status: "pending" }] }),
  during({ type: "ProcessStatus", processId: "p", status: "running", command: "ls" }),
  during({ type: "ProcessOutput", processId: "p", stream: "merged", data: "out" }),
  during({ type: "ProcessStatus", processId: "p", status: "exited", exitCode: 0 }),
  { type: "ShellOutput", data: "$ " },
  permission,
  { type: "ElicitationSettled", elicitationId: question, outcome: { _tag: "Expired" } },
  [{ type: "RunQueued", prompt: [{ type: "text", text: "next" }] }, run],
  [{ type: "RunDropped", reason: "cancelled" }, run],
  ended,
  ...nested,
  { type: "AgentDisconnected", reason: "gone", error: { _tag: "AgentDied", message: "died", stderr: "oh" } },
  { type: "AgentRestarting", cause: "requested" },
  { type: "AgentRestarted" },
  { type: "AgentRestartFailed", error: { _tag: "AgentDied", message: "died" } },
  { type: "SessionClosed", reason: "requested" },
  { type: "Extension", name: "x", payload: null }
)
const histories = FastCheck.array(said, { maxLength: 60 }).map((said) => {
  const asked = said.indexOf(permission)
  // nothing is asked twice
  return history(opened, ...said.filter((each, index) => each !== permission || index === asked))
})

describe("the fold", () => {
  it("a run that the agent opened is folded where it began, with what is said in it", () => {
    const conversation = fold(opened, connected, started, text("one "), ...nested, text("two"))
    expect(conversation.items.slice(-3)).toMatchObject([
      { kind: "message", text: "one " },
      {
        kind: "run",
        name: "librarian",
        asked: "look it up",
        output: { text: "found it" },
        outcome: { _tag: "Completed" }
      },
      { kind: "message", text: "two" }
    ])
    expect(conversation.run?.id).toBe(run)
  })

  it("what a run in the background does outlives the turn, and stands under the name of who does it", () => {
    const background: ReadonlyArray<Said> = [
      [{ type: "RunStarted", prompt: [], until: "session", parentRunId: run, agent: "librarian" }, child],
      [{ type: "ToolCallStarted", toolCallId: "look", title: "Look it up", status: "in_progress" }, child],
      during({ type: "ToolCallStarted", toolCallId: "own", title: "Own", status: "in_progress" }),
      [permission, child],
      ended
    ]
    const calls = (conversation: Conversation.Conversation) =>
      ofKind(conversation, "tool").map(({ call: { status, title, unfinished }, within }) => ({
        title,
        status,
        unfinished,
        within
      }))
    const own = { title: "Own", status: "in_progress", unfinished: true, within: undefined }
    const look = { title: "Look it up", within: "librarian" }
    const working = fold(opened, connected, started, ...background)
    expect(calls(working)).toStrictEqual([{ ...look, status: "in_progress", unfinished: undefined }, own])
    expect(ofKind(working, "question").map(({ within }) => within)).toStrictEqual(["librarian"])
    const done: Said = [{ type: "ToolCallEnded", toolCallId: "look", status: "completed" }, child]
    expect(calls(fold(opened, connected, started, ...background, done))).toStrictEqual([
      { ...look, status: "completed", unfinished: undefined },
      own
    ])
    const meanwhile = fold(
      opened,
      connected,
      started,
      during({ type: "ToolCallStarted", toolCallId: "a", title: "A", status: "pending" }),
      ...nested
    )
    expect(calls(meanwhile)).toMatchObject([{ title: "A", unfinished: undefined }])
    const stopped: Said = [{ type: "RunEnded", outcome: { _tag: "Cancelled" } }, child]
    expect(calls(fold(opened, connected, started, ...background, stopped))).toStrictEqual([
      { ...look, status: "in_progress", unfinished: true },
      own
    ])
  })

  it("gives the same however the events are cut into batches, changes nothing that it was given, and names every item once", () => {
    FastCheck.assert(FastCheck.property(histories, FastCheck.array(FastCheck.nat(60)), (events, cuts) => {
      const whole = Conversation.fold(freeze(Conversation.empty), freeze(events))
      let conversation = Conversation.empty
      let from = 0
      for (const to of [...cuts.sort((one, other) => one - other), events.length]) {
        conversation = Conversation.fold(freeze(conversation), events.slice(from, Math.max(from, to)))
        from = Math.max(from, to)
      }
      expect(conversation).toStrictEqual(whole)
      expect(new Set(whole.items.map(({ key }) => key)).size).toBe(whole.items.length)
    }))
  })

  // the page may not take the gateway's code, so it has its own
  it("tells the status as the gateway's own fold does", () => {
    FastCheck.assert(
      FastCheck.property(histories, (events) => {
        const state = events.reduce(Session.step, Session.initial(SessionId.make("ses_test")))
        expect(Conversation.status(Conversation.fold(Conversation.empty, events))).toBe(Session.status(state))
      }),
      { numRuns: 500 }
    )
  })

  it("passes over what it has already: a stream that repeats itself doubles nothing", () => {
    const events = history(opened, connected, started, text("once"))
    const conversation = Conversation.fold(Conversation.empty, events)
    expect(Conversation.fold(conversation, events)).toStrictEqual(conversation)
  })

  it("keeps the items that a batch does not touch, so that nothing is drawn again for it", () => {
    const events = history(opened, connected, started, text("a"), during({ type: "Warning", message: "w" }), text("b"))
    const before = Conversation.fold(Conversation.empty, events.slice(0, 5))
    const after = Conversation.fold(before, events)
    expect(after.items.slice(0, 3).every((item, index) => item === before.items[index])).toBe(true)
    expect(after.items).toHaveLength(4)
  })

  it("joins chunks of a message to one text, which another message or anything in between ends", () => {
    const messages = ofKind(
      fold(
        opened,
        started,
        text("Hel"),
        text("lo"),
        during({ type: "UsageUpdated", used: 1, size: 2 }),
        text("!"),
        during({ type: "TextChunk", text: "Other", messageId: "m2" }),
        during({ type: "ToolCallStarted", toolCallId: "t", title: "T", status: "pending" }),
        text("After")
      ),
      "message"
    )
    expect(messages.map(({ text }) => text)).toStrictEqual(["Hello!", "Other", "After"])
  })

  it("follows a tool call by its id; what its run leaves open is not finished", () => {
    const tool = (status: "pending" | "in_progress" | "completed") =>
      during({ type: "ToolCallUpdated", toolCallId: "t", status })
    const open = fold(
      opened,
      started,
      during({ type: "ToolCallStarted", toolCallId: "t", title: "Read", status: "pending", rawInput: { path: "x" } }),
      tool("in_progress"),
      during({ type: "ToolCallUpdated", toolCallId: "t", rawOutput: [1] })
    )
    expect(ofKind(open, "tool").map(({ call }) => call)).toStrictEqual([
      { toolCallId: "t", title: "Read", status: "in_progress", rawInput: { path: "x" }, rawOutput: [1] }
    ])
    const left = fold(opened, started, tool("in_progress"), ended)
    expect(ofKind(left, "tool").map(({ call }) => call.unfinished)).toStrictEqual([true])
    const done = fold(opened, started, tool("completed"), ended)
    expect(ofKind(done, "tool").map(({ call }) => call.unfinished)).toStrictEqual([undefined])
  })

  it("takes a call whose id is there again in a later run for a call of its own", () => {
    const call = (title: string) => during({ type: "ToolCallStarted", toolCallId: "t", title, status: "completed" })
    const calls = ofKind(fold(opened, started, call("first"), ended, started, call("second"), ended), "tool")
    expect(calls.map(({ call }) => call.title)).toStrictEqual(["first", "second"])
  })

  it("shows a process where its tool call does, and only there", () => {
    const output = during({ type: "ProcessOutput", processId: "p", stream: "merged", data: "hello\n" })
    const free = fold(opened, started, output)
    expect(free.processes.get("p")).toMatchObject({
      owned: false,
      status: "running",
      output: { text: "hello\n", dropped: 0 }
    })
    const owned = fold(
      opened,
      started,
      output,
      during({ type: "ToolCallUpdated", toolCallId: "t", content: [{ type: "terminal", terminalId: "p" }] }),
      during({ type: "ProcessStatus", processId: "p", status: "exited", exitCode: 1 })
    )
    expect(owned.processes.get("p")).toMatchObject({ owned: true, status: "exited", exitCode: 1 })
  })

  it("keeps the end of a long output and counts what it dropped", () => {
    const chunk = during({ type: "ProcessOutput", processId: "p", stream: "merged", data: "x".repeat(100_000) })
    const { output } = fold(opened, started, ...Array.from({ length: 20 }, () => chunk)).processes.get("p") ?? {}
    expect(output?.text.length).toBeLessThanOrEqual(400_000)
    expect((output?.text.length ?? 0) + (output?.dropped ?? 0)).toBe(2_000_000)
  })

  it("puts a queued prompt into the conversation when it starts, and says so when it never does", () => {
    const prompt = [{ type: "text" as const, text: "next" }]
    const queued: Said = [{ type: "RunQueued", prompt }, run]
    expect(fold(opened, connected, queued)).toMatchObject({ items: [], queued: [{ runId: run, content: prompt }] })
    expect(fold(opened, connected, queued, [{ type: "RunStarted", prompt }, run])).toMatchObject({
      items: [{ kind: "prompt", content: prompt }],
      queued: []
    })
    expect(fold(opened, connected, queued, [{ type: "RunDropped", reason: "the session was closed" }, run]))
      .toMatchObject({
        items: [{ kind: "note", text: "A queued prompt was dropped: the session was closed" }],
        queued: []
      })
  })

  it("has a question among those that wait until it is settled, and then how it was", () => {
    const asked = fold(opened, connected, started, permission)
    expect(asked.questions.map(({ id }) => id)).toStrictEqual([question])
    expect(Conversation.status(asked)).toBe("waiting")
    const outcome = { _tag: "Answered" as const, action: "accept" as const, content: { optionId: "yes" } }
    const answered = fold(opened, connected, started, permission, {
      type: "ElicitationSettled",
      elicitationId: question,
      outcome
    })
    expect(answered.questions).toStrictEqual([])
    expect(ofKind(answered, "question").map(({ outcome }) => outcome)).toStrictEqual([outcome])
  })

  it("tells a restart in the line that told its beginning", () => {
    const notes = ofKind(
      fold(opened, connected, { type: "AgentRestarting", cause: "requested" }, { type: "AgentRestarted" }),
      "note"
    )
    expect(notes.map(({ text }) => text)).toStrictEqual(["The agent was restarted in 1 ms"])
  })

  it("leaves the death of an agent to the run that it ends", () => {
    const died: Said = {
      type: "AgentDisconnected",
      reason: "it exited",
      error: { _tag: "AgentDied", message: "it exited" }
    }
    expect(ofKind(fold(opened, connected, started, died), "note")).toStrictEqual([])
    expect(ofKind(fold(opened, connected, died), "note")).toMatchObject([{ tone: "warning", text: "it exited" }])
    expect(ofKind(fold(opened, died), "note")).toMatchObject([{ tone: "error" }])
  })

  it("begins where the log begins, and says that something is missing", () => {
    const events: ReadonlyArray<StoredEvent> = history(opened, connected, started, text("late")).slice(2)
    const conversation = Conversation.fold(Conversation.beginningAt(3), events)
    expect(conversation.seq).toBe(4)
    expect(conversation.items.map(({ kind }) => kind)).toStrictEqual(["note", "prompt", "message"])
  })
})

import { type AGUIEvent, EventType } from "@ag-ui/core"
import { describe, expect, it } from "@effect/vitest"
import * as FastCheck from "effect/FastCheck"
import * as Told from "../../../src/agent/agui/Told.js"
import "../../seed.js"

/** What an agent says in one run: texts under an id, and events with a moment of their own. */
const thing = FastCheck.oneof(
  FastCheck.array(FastCheck.string({ maxLength: 3 }), { maxLength: 4 }),
  FastCheck.constantFrom("task:started", "task:completed")
)

const wire = (things: ReadonlyArray<string | ReadonlyArray<string>>): ReadonlyArray<AGUIEvent> =>
  things.flatMap((thing, index): ReadonlyArray<AGUIEvent> =>
    typeof thing === "string"
      ? [{ type: EventType.CUSTOM, name: thing, value: { index: index % 2 }, timestamp: 1000 + index }]
      : [
        { type: EventType.TEXT_MESSAGE_START, messageId: `m${index}` },
        ...thing.map((delta): AGUIEvent => ({ type: EventType.TEXT_MESSAGE_CONTENT, messageId: `m${index}`, delta })),
        { type: EventType.TEXT_MESSAGE_END, messageId: `m${index}` }
      ]
  )

/** Who reads next: the run's own stream, the listener, or the listener after a cut: again from the start, or from where it was. */
const step = FastCheck.oneof(
  { weight: 4, arbitrary: FastCheck.constant("run") },
  { weight: 4, arbitrary: FastCheck.constant("listener") },
  { weight: 1, arbitrary: FastCheck.constantFrom("again", "on") }
)

/** The texts by their ids, and the moments of all else. */
const gather = (told: ReadonlyArray<AGUIEvent>) => {
  const texts: Record<string, string> = {}
  const moments: Array<number | undefined> = []
  for (const event of told) {
    if (event.type === EventType.TEXT_MESSAGE_CONTENT) {
      texts[event.messageId] = (texts[event.messageId] ?? "") + event.delta
    } else if (event.type === EventType.CUSTOM) moments.push(event.timestamp)
  }
  return {
    texts: Object.fromEntries(Object.entries(texts).filter(([, text]) => text !== "")),
    moments: moments.sort()
  }
}

describe("AG3 what both a run and the listener hear", () => {
  it.prop(
    "is told once and whole, whoever hears it first, and however often the listener begins again",
    [FastCheck.array(thing, { maxLength: 6 }), FastCheck.array(step, { maxLength: 80 }), FastCheck.boolean()],
    ([things, steps, namesRun]) => {
      const events = wire(things)
      const told = Told.make()
      const heard: Array<AGUIEvent> = []
      const run = told.run()
      let listener = told.listener()
      let at = 0
      let from = 0
      const read = (source: Told.Source, event: AGUIEvent | undefined, name: string | undefined) => {
        const fresh = event === undefined ? undefined : source.pass(event, { now: 0, run: name })
        if (fresh !== undefined) heard.push(fresh)
      }
      for (const step of [...steps, ...events.map(() => "run"), ...events.map(() => "listener")]) {
        if (step === "run") read(run, events[at++], "r")
        else if (step === "listener") read(listener, events[from++], namesRun ? "r" : undefined)
        else {
          listener = told.listener()
          if (step === "again") from = 0
        }
      }
      expect(gather(heard)).toStrictEqual(gather(events))
    },
    { fastCheck: { numRuns: 2000 } }
  )

  it("is told as often as it is meant, where nothing but its looks tell it apart", () => {
    const told = Told.make()
    const run = told.run()
    const listener = told.listener()
    const event: AGUIEvent = { type: EventType.CUSTOM, name: "hook:Stop", value: {} }
    const passed = (source: Told.Source, now: number) => source.pass(event, { now, run: undefined }) !== undefined
    // the run means what it repeats, and the listener hears each again
    expect([passed(run, 0), passed(run, 1), passed(listener, 2), passed(listener, 3)]).toStrictEqual([
      true,
      true,
      false,
      false
    ])
    // and a third time, which no run has told
    expect(passed(listener, 4)).toBe(true)
    expect(passed(run, 5)).toBe(false)
    // long after, it is another one
    expect([passed(run, 1000), passed(listener, 60_000)]).toStrictEqual([true, true])
  })

  it("that a run of the agent's own tells is not what ours tells, however alike", () => {
    const told = Told.make()
    const step: AGUIEvent = { type: EventType.STEP_STARTED, stepName: "look" }
    expect(told.listener().pass(step, { now: 0, run: "late" })).toBe(step)
    expect(told.run().pass(step, { now: 1, run: "r1" })).toBe(step)
    // but the same run is the same run
    expect(told.listener().pass(step, { now: 2, run: "r1" })).toBeUndefined()
  })

  it("under an id that comes again in another run is another message", () => {
    const told = Told.make()
    const say = (run: string) => {
      const source = told.run()
      const at = { now: 0, run }
      return [
        source.pass({ type: EventType.TEXT_MESSAGE_START, messageId: "m1" }, at),
        source.pass({ type: EventType.TEXT_MESSAGE_CONTENT, messageId: "m1", delta: "hello" }, at)
      ]
    }
    expect(say("r1")[1]).toMatchObject({ delta: "hello" })
    expect(say("r2")[1]).toMatchObject({ delta: "hello" })
    const late = told.listener()
    expect(
      late.pass({ type: EventType.TEXT_MESSAGE_CONTENT, messageId: "m1", delta: "hi" }, { now: 0, run: "r3" })
    ).toMatchObject({ delta: "hi" })
  })
})

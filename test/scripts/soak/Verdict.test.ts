import { describe, expect, it } from "@effect/vitest"
import { replyTo } from "../../../scripts/soak/Answers.js"
import type { Event } from "../../../scripts/soak/Client.js"
import { type Attempt, type Demand, faultOfAttempt, judge } from "../../../scripts/soak/Verdict.js"

const session = "ses_1"
const options = [{ optionId: "allow_once", name: "Allow once", kind: "allow_once" }]

const permission = { id: "eli_c", sessionId: session, runId: "run_1", kind: "permission", message: "Fly?", options }
const form = {
  id: "eli_d",
  sessionId: session,
  runId: "run_2",
  kind: "form",
  message: "What?",
  schema: { properties: {} }
}
const permitted = { action: "accept", content: { optionId: "allow_once" } }
const filled = { action: "accept", content: { name: form.id, season: "spring" } }
const flies = "You chose \"Allow once\" (allow_once): the paper plane is in the air."

type Draft = readonly [event: object, runId?: string | undefined]
const ended: Draft = [{ type: "RunEnded", outcome: { _tag: "Completed", stopReason: "end_turn" } }, "run_1"]
const asked: Draft = [{ type: "ElicitationRequested", elicitation: permission }, "run_1"]
const settled: Draft = [
  { type: "ElicitationSettled", elicitationId: permission.id, outcome: { _tag: "Answered", ...permitted } },
  "run_1"
]
const restarting: Draft = [{ type: "AgentRestarting", cause: "requested" }]
const closed: Draft = [{ type: "SessionClosed", reason: "requested" }]

const good: ReadonlyArray<Draft> = [
  [{ type: "SessionOpened", agent: "demo", cwd: "/" }],
  [{ type: "RunStarted", prompt: [{ type: "text", text: "/permission" }] }, "run_1"],
  asked,
  settled,
  [{ type: "TextChunk", text: flies }, "run_1"],
  ended,
  restarting,
  [{ type: "AgentRestarted" }],
  [{ type: "RunStarted", prompt: [{ type: "text", text: "/form" }] }, "run_2"],
  [{ type: "ElicitationRequested", elicitation: form }, "run_2"],
  [{ type: "ElicitationSettled", elicitationId: form.id, outcome: { _tag: "Answered", ...filled } }, "run_2"],
  [{ type: "TextChunk", text: "You answered: {\"season\":\"spring\",\"name\":\"eli_d\"}" }, "run_2"],
  [{ type: "RunEnded", outcome: { _tag: "Completed", stopReason: "end_turn" } }, "run_2"],
  closed
]

/** As the log would number them, a second apart. */
const log = (drafts: ReadonlyArray<Draft>): ReadonlyArray<Event> =>
  JSON.parse(JSON.stringify(
    drafts.map(([event, runId], index) => ({
      seq: index + 1,
      sessionId: session,
      runId,
      at: new Date(index * 1000).toISOString(),
      event
    }))
  ))

const attempt = (of: object, reply: object, status = 200, more: object = {}): Attempt =>
  Object.assign(JSON.parse(JSON.stringify({ session, question: of, reply, fits: true, status })), more)

const answers = [attempt(permission, permitted), attempt(form, filled)]

const faults = (drafts: ReadonlyArray<Draft>, attempts: ReadonlyArray<Attempt> = answers) =>
  judge(session, log(drafts), attempts).join("\n")

/** `good`, with other drafts in the place of one. */
const instead = (of: Draft, ...drafts: ReadonlyArray<Draft>) => good.flatMap((draft) => draft === of ? drafts : [draft])

describe("judge", () => {
  it("finds nothing wrong with a good log", () => {
    expect(faults(good)).toBe("")
  })

  it("EL1 sees a hole and a duplicate", () => {
    const events = log(good)
    expect(judge(session, events.filter(({ seq }) => seq !== 3), answers).join()).toMatch(
      "event 2: the next event is 4"
    )
    expect(judge(session, events.flatMap((event) => event.seq === 5 ? [event, event] : [event]), answers).join())
      .toMatch("event 5: the next event is 5")
  })

  it("RS1 sees a run without an end, with two, and with something after its end", () => {
    expect(faults(instead(ended))).toMatch("run_2 started while run_1 was open")
    expect(faults(instead(ended, ended, ended))).toMatch("RunEnded is of run_1, which has ended")
    expect(faults(instead(ended, ended, [{ type: "TextChunk", text: "late" }, "run_1"])))
      .toMatch("TextChunk is of run_1, which has ended")
    expect(faults([...good.slice(0, -2), closed])).toMatch("run_2 was never ended")
  })

  it("EB2 sees a question without an end, with two, and with one after its run's", () => {
    expect(faults(instead(settled))).toMatch("run_1 ended before its question eli_c")
    expect(faults(instead(settled))).toMatch("eli_c was never settled")
    expect(faults(instead(settled, settled, settled))).toMatch("eli_c was settled twice")
    expect(faults(instead(settled).flatMap((draft) => draft === ended ? [ended, settled] : [draft])))
      .toMatch("ElicitationSettled is of run_1, which has ended")
  })

  it("EB3 sees an answer that went to another question, in the log and in what the agent read", () => {
    const other = { ...filled, content: { name: "eli_x", season: "spring" } }
    const swapped = good.map(([event, runId]): Draft =>
      "elicitationId" in event && event.elicitationId === form.id
        ? [{ ...event, outcome: { _tag: "Answered", ...other } }, runId]
        : [event, runId]
    )
    expect(faults(swapped)).toMatch(/eli_d: \{.*"eli_d".*\} was accepted, and the log has .*"eli_x"/)
    expect(faults(swapped)).toMatch(/run_2 \/form: it said .*eli_d.*, and the answer was .*eli_x/)
    const mixed = instead(good[4]!, [{ type: "TextChunk", text: flies.replace("Allow once", "Reject") }, "run_1"])
    expect(faults(mixed)).toMatch("run_1 /permission: it said")
    const twice = good.flatMap((draft): ReadonlyArray<Draft> => draft === good[11] ? [draft, draft] : [draft])
    expect(faults(twice)).toMatch("run_2 /form: it said")
  })

  it("EB2 sees two accepted answers, and an answer that nobody was told of", () => {
    expect(faults(good, [...answers, attempt(form, filled)])).toMatch("eli_d: 2 answers were accepted")
    expect(faults(good, [attempt(permission, permitted), attempt(form, filled, 409)]))
      .toMatch(/eli_d: the log has .*, and no answer was accepted/)
    // a response that was lost says nothing
    expect(faults(good, [attempt(permission, permitted), attempt(form, filled, 0)])).toBe("")
  })

  it("EB6 sees a late answer that is told another end than the log has", () => {
    const late = attempt(form, filled, 409, { outcome: { _tag: "Withdrawn", reason: "the run was cancelled" } })
    expect(faults(good, [...answers, late])).toMatch("eli_d: a late answer was told {\"_tag\":\"Withdrawn\"")
  })

  it("RC1 RC2 sees restarts that overlap, do not end, or never start", () => {
    expect(faults(instead(restarting, restarting, restarting))).toMatch(
      "a restart began while another one was under way"
    )
    expect(faults([...good.slice(0, 7), closed])).toMatch("a restart was never ended")
    const long = log(good).map((event, index) => ({ ...event, at: new Date(index * 10_000).toISOString() }))
    const told = (...demands: ReadonlyArray<Omit<Demand, "session">>) =>
      judge(session, long, answers, demands.map((demand) => ({ session, ...demand })))
    expect(told({ after: 6, at: 0 }, { after: 6, before: 8, at: 0 })).toEqual([])
    expect(told({ after: 8, at: 80_000 })).toEqual([
      `${session}: of a restart that was asked for after event 8 nothing began before event Infinity`
    ])
    // the one that ran already does not cover it
    expect(told({ after: 7, before: 9, at: 120_000 })).toEqual([
      `${session}: of a restart that was asked for after event 7 nothing began before event 9`
    ])
    // the session was closed soon after
    expect(told({ after: 9, at: 110_000 })).toEqual([])
  })

  it("sees a log that does not end", () => {
    expect(faults(good.slice(0, -1))).toMatch("the log ends without SessionClosed")
    expect(faults([...good, restarting])).toMatch("AgentRestarting came after the session's end")
  })
})

describe("faultOfAttempt", () => {
  const of = (more: object) => faultOfAttempt(attempt(form, filled, 200, more))

  it("EB6 EB7 knows what each answer must be told", () => {
    expect(of({})).toBeUndefined()
    expect(of({ status: 409, tag: "ElicitationAlreadySettled" })).toBeUndefined()
    expect(of({ status: 404, tag: "ElicitationNotFound" })).toBe("eli_d: an answer got 404 ElicitationNotFound")
    expect(of({ fits: false, status: 422, tag: "ElicitationAnswerInvalid" })).toBeUndefined()
    expect(of({ fits: false })).toBe("eli_d: an answer that does not fit got 200")
    expect(of({ session: "ses_2", status: 404, tag: "ElicitationNotFound" })).toBeUndefined()
    expect(of({ session: "ses_2" })).toBe("eli_d: an answer by another session got 200")
  })
})

describe("replyTo", () => {
  it("depends on the question alone, and is another one for another question", () => {
    const ids = Array.from({ length: 200 }, (_, index) => `eli_${index}`)
    const replies = ids.map((id) => JSON.stringify(replyTo({ ...attempt(form, {}).question, id } as never)))
    expect(replies).toEqual(ids.map((id) => JSON.stringify(replyTo({ ...attempt(form, {}).question, id } as never))))
    const accepted = replies.filter((reply) => reply.includes("accept"))
    expect(accepted.length).toBeGreaterThan(100)
    expect(new Set(accepted).size).toBe(accepted.length)
    expect(replies.some((reply) => reply.includes("decline"))).toBe(true)
    expect(replies.some((reply) => reply.includes("cancel"))).toBe(true)
  })
})

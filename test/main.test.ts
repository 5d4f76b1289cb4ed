import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import * as Program from "./program.js"

const isEnd = ({ data }: Program.Frame) => data.event.type === "RunEnded"

/** An agent inherits `XDG_…`, so a test finds its own among all others. */
const marked = (mark: string) => ({ XDG_MAIN_TEST: mark })

describe("the program", () => {
  it.scopedLive(
    "a session with nothing but HTTP: prompt, follow, answer, restart the gateway, read the same again",
    () =>
      Effect.gen(function*() {
        const data = yield* Program.temporary
        const first = yield* Program.gateway(data)
        const id = yield* first.open()
        expect((yield* first.prompt(id, "/permission")).status).toBe(202)
        const events = `${first.url}/v1/sessions/${id}/events`
        yield* Program.follow(events, { done: ({ data }) => data.event.type === "ElicitationRequested" })
        const { body } = yield* first.request("GET", `/v1/sessions/${id}/elicitations`)
        const [question] = body.elicitations
        const answer = { action: "accept", content: { optionId: question.options[0].optionId } }
        const path = `/v1/sessions/${id}/elicitations/${question.id}`
        expect((yield* first.request("POST", path, answer)).status).toBe(200)
        const seen = yield* Program.follow(events, { done: isEnd })
        expect(seen.at(-1)?.data.event).toMatchObject({ outcome: { _tag: "Completed" } })
        const late = yield* first.request("POST", path, answer)
        expect([late.status, late.body._tag]).toStrictEqual([409, "ElicitationAlreadySettled"])

        first.process.kill("SIGTERM")
        expect(yield* first.exited).toStrictEqual({ code: 0, signal: null })
        const second = yield* Program.gateway(data)
        const history = yield* second.history(id)
        expect(history.slice(0, seen.length)).toStrictEqual(seen.map(({ data }) => data))
        expect((yield* second.request("POST", path, answer)).body._tag).toBe("ElicitationAlreadySettled")
        // the agent is started again on demand, and knows the session
        yield* second.prompt(id, "/stream 3")
        const more = yield* Program.follow(`${second.url}/v1/sessions/${id}/events`, {
          lastEventId: history.length,
          done: isEnd
        })
        expect(more.map(({ data }) => data.event)).toContainEqual(
          expect.objectContaining({ type: "AgentConnected", how: "loaded" })
        )
        expect(more.filter(({ data }) => data.event.type === "TextChunk").length).toBe(3)
      }),
    120_000
  )

  it.scopedLive(
    "EL2 a client that is cut 50 times during 20,000 chunks and resumes sees every event once",
    () =>
      Effect.gen(function*() {
        const { open, prompt, url } = yield* Effect.flatMap(Program.temporary, Program.gateway)
        const id = yield* open()
        yield* prompt(id, "/stream 20000")
        const seen: Array<Program.Frame> = []
        for (let cut = 0; cut < 50; cut++) {
          let left = yield* Random.nextIntBetween(1, 600)
          const frames = yield* Program.follow(`${url}/v1/sessions/${id}/events`, {
            lastEventId: seen.at(-1)?.id ?? 0,
            done: (frame) => isEnd(frame) || --left === 0
          })
          seen.push(...frames)
        }
        const rest = yield* Program.follow(`${url}/v1/sessions/${id}/events`, {
          lastEventId: seen.at(-1)?.id ?? 0,
          done: isEnd
        })
        seen.push(...rest)
        expect(seen.map(({ id }) => id)).toStrictEqual(seen.map((_, index) => index + 1))
        expect(seen.filter(({ data }) => data.event.type === "TextChunk")).toHaveLength(20_000)
        expect(seen.every(({ data, id }) => data.seq === id)).toBe(true)
      }),
    120_000
  )

  it.scopedLive(
    "EL4 EL5 after kill -9 in mid-run everything that was seen is there, the run is Lost, and no agent is left",
    () =>
      Effect.gen(function*() {
        const data = yield* Program.temporary
        const mark = `kill-${process.pid}`
        const first = yield* Program.gateway(data, marked(mark))
        const id = yield* first.open()
        const stubborn = yield* first.open()
        // one that neither the end of stdin nor SIGTERM impresses, and a grandchild
        yield* first.prompt(stubborn, "/stay")
        yield* Program.follow(`${first.url}/v1/sessions/${stubborn}/events`, { done: isEnd })
        const before = (yield* first.history(stubborn)).length
        yield* first.prompt(stubborn, "/grandchild")
        yield* Program.follow(`${first.url}/v1/sessions/${stubborn}/events`, { lastEventId: before, done: isEnd })
        // more than a gateway can store before a slow client has seen the first of it: the run is open when the kill comes
        yield* first.prompt(id, "/stream 200000")
        const seen = yield* Program.follow(`${first.url}/v1/sessions/${id}/events`, { done: ({ id }) => id > 2000 })
        first.process.kill("SIGKILL")
        yield* first.exited
        expect(Program.processesWith(mark).length).toBeGreaterThan(0)

        const second = yield* Program.gateway(data, marked(`${mark}-second`))
        yield* Program.eventually(() => Program.processesWith(`XDG_MAIN_TEST=${mark}\0`).length === 0)
        const history = yield* second.history(id)
        expect(history.slice(0, seen.length)).toStrictEqual(seen.map(({ data }) => data))
        const ended = history.filter(({ event }) => event.type === "RunEnded")
        expect(ended.map(({ event }) => event.outcome._tag)).toStrictEqual(["Lost"])
        const { body } = yield* second.request("GET", `/v1/sessions/${id}`)
        expect(body).toMatchObject({ status: "idle", pending: 0, head: history.length })
      }),
    120_000
  )

  it.scopedLive(
    "AG1 SIGTERM to a gateway with 20 live agents, one of them deaf, leaves none and exits 0",
    () =>
      Effect.gen(function*() {
        const mark = `term-${process.pid}`
        const data = yield* Program.temporary
        const { exited, history, open, process: gateway, prompt, url } = yield* Program.gateway(data, marked(mark))
        const ids = yield* Effect.all(Array.from({ length: 20 }, () => open()), { concurrency: 4 })
        expect(Program.processesWith(mark).length).toBeGreaterThanOrEqual(21)
        const [deaf, busy] = ids
        if (deaf === undefined || busy === undefined) return expect.fail("no sessions")
        yield* prompt(deaf, "/stay")
        yield* Program.follow(`${url}/v1/sessions/${deaf}/events`, { done: isEnd })
        const before = (yield* history(deaf)).length
        yield* prompt(deaf, "/grandchild")
        yield* Program.follow(`${url}/v1/sessions/${deaf}/events`, { lastEventId: before, done: isEnd })
        yield* prompt(busy, "/sleep 60")
        gateway.kill("SIGTERM")
        expect(yield* exited).toStrictEqual({ code: 0, signal: null })
        expect(Program.processesWith(mark)).toStrictEqual([])
      }),
    120_000
  )

  it.scopedLive(
    "RS1 AG2 a misbehaving agent ends its run with a typed error, and the session goes on",
    () =>
      Effect.gen(function*() {
        const { open, prompt, url } = yield* Effect.flatMap(Program.temporary, Program.gateway)
        const id = yield* open()
        let after = 0
        const outcomes: Array<unknown> = []
        for (const script of ["/crash", "/garbage", "/fail", "/huge 20000000", "/stream 3"]) {
          yield* prompt(id, script)
          const frames = yield* Program.follow(`${url}/v1/sessions/${id}/events`, { lastEventId: after, done: isEnd })
          after = frames.at(-1)?.id ?? after
          outcomes.push(frames.at(-1)?.data.event)
        }
        expect(outcomes).toMatchObject([
          { outcome: { _tag: "Failed", error: { _tag: "AgentDied", exitCode: 3 } } },
          { outcome: { _tag: "Failed", error: { _tag: "AgentProtocolError" } } },
          { outcome: { _tag: "Failed", error: { _tag: "AgentRequestFailed" } } },
          { outcome: { _tag: "Failed", error: { _tag: "AgentMessageTooLarge" } } },
          { outcome: { _tag: "Completed", stopReason: "end_turn" } }
        ])
      }),
    120_000
  )
})

import { EventType } from "@ag-ui/core"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { ResumingHttpAgent } from "holdfast/client/agui"
import { leakFreeFile } from "holdfast/testing/vitest"
import { gateway, temporary } from "../../program.js"
import { client, fetchOnce, texts } from "./fixture.js"

leakFreeFile({ grace: "5 seconds" })

/** A client of the demo agent behind the built program. */
const demo = (url: string, threadId = "a thread") => client({ gateway: { url } }, { agent: "demo", threadId })

const { RUN_ERROR, RUN_FINISHED } = EventType
const success = { type: RUN_FINISHED, outcome: { type: "success" } }

describe("the program and its demo agent", () => {
  it.scopedLive(
    "every script is a run that the official client accepts, its questions answered",
    () =>
      Effect.gen(function*() {
        const { url } = yield* gateway(yield* temporary)
        const { agent, resume, say } = demo(url)
        for (
          const script of ["hello", "/stream 300", "/think", "/plan", "/tools", "/permission", "/form", "/url", "/two"]
        ) {
          let ran = yield* say(script)
          for (let rounds = 0; agent.pendingInterrupts.length > 0 && rounds < 5; rounds++) {
            expect(ran.error, script).toBeUndefined()
            ran = yield* resume(({ reason }) => ({
              status: "resolved",
              payload: reason === "input_required"
                ? { name: "Ada", season: "winter" }
                : { approved: reason !== "tool_call" }
            }))
          }
          expect(ran.error, script).toBeUndefined()
          expect(ran.last, script).toMatchObject(success)
        }
        const said = texts(agent.messages).join("\n")
        expect(said).toContain("chunk 1 chunk 2 ")
        expect(said).toContain("chunk 300 ")
        expect(said).toContain("reasoning: What is the answer?")
        expect(said).toContain("the paper plane stays here")
        expect(said).toContain("\"name\":\"Ada\",\"season\":\"winter\"")
        expect(said).toContain("first: reject_once, second: reject_once")
        expect(agent.state).toMatchObject({
          holdfast: { agent: "demo", plan: expect.any(Array), commands: expect.any(Array) }
        })
      }),
    90_000
  )

  it.scopedLive("a crash is an error of its run, and the thread goes on", () =>
    Effect.gen(function*() {
      const { url } = yield* gateway(yield* temporary)
      const { agent, say } = demo(url)
      expect((yield* say("/crash")).last).toMatchObject({ type: RUN_ERROR, code: "AgentDied" })
      expect((yield* say("/fail")).last).toMatchObject({ type: RUN_ERROR })
      expect((yield* say("/think")).last).toMatchObject(success)
      expect(agent.messages.at(-1)?.role).toBe("assistant")
    }), 90_000)

  it.scopedLive(
    "EL5 after kill -9 the thread is the same session, and the run that was open is lost",
    () =>
      Effect.gen(function*() {
        const data = yield* temporary
        const first = yield* gateway(data)
        // the official client ends its process where a socket is dropped
        const before = client({ gateway: first }, {
          agent: "demo",
          make: ResumingHttpAgent,
          config: { resume: { attempts: 2, delay: () => 0 } }
        })
        const cut = yield* before.say("/sleep 600", { runId: "the run" }, ({ type }) => {
          if (type === EventType.STATE_SNAPSHOT) first.process.kill("SIGKILL")
        })
        expect(cut.last).toMatchObject({ type: RUN_ERROR, code: "connection_lost" })
        yield* first.exited
        const { request, url } = yield* gateway(data)
        const after = demo(url)
        const again = yield* after.say("/sleep 600", { runId: "the run" })
        expect(again.last).toMatchObject({ type: RUN_ERROR, code: "Lost" })
        expect((yield* after.say("/think")).last).toMatchObject(success)
        const { body } = yield* request("GET", "/v1/sessions")
        expect(body.sessions).toHaveLength(1)
      }),
    90_000
  )

  it.scopedLive("curl gets SSE", () =>
    Effect.gen(function*() {
      const { url } = yield* gateway(yield* temporary)
      const response = yield* Effect.promise(() =>
        fetchOnce(`${url}/agui/demo`, {
          method: "POST",
          headers: { "content-type": "application/json", accept: "*/*" },
          body: JSON.stringify({
            threadId: "t",
            runId: "r",
            messages: [{ id: "1", role: "user", content: "/stream 2" }]
          })
        })
      )
      const text = yield* Effect.promise(() => response.text())
      expect(text).toMatch(/^retry: 1000\n\ndata: \{"type":"RUN_STARTED"/)
      expect(text).toMatch(/\n\nid: \d+\ndata: \{"type":"RUN_FINISHED".*\n\n$/)
    }), 90_000)
})

/** Answers that are none, to the program and its demo agent. */
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { leakFreeFile } from "holdfast/testing/vitest"
import { gateway, temporary } from "../program.js"

leakFreeFile({ grace: "5 seconds" })

interface Reply {
  readonly _tag?: string
  readonly issues?: ReadonlyArray<{ readonly path: ReadonlyArray<string> }>
}

/** A session that waits for the answer to a form. */
const asked = Effect.gen(function*() {
  const folder = yield* temporary
  const running = yield* gateway(folder)
  const session = yield* running.open()
  yield* running.prompt(session, "/form")
  const question = yield* Effect.repeat(
    Effect.map(running.request("GET", `/v1/sessions/${session}/elicitations`), ({ body }) => body.elicitations[0]),
    { until: (question) => question !== undefined }
  )
  const path = `/v1/sessions/${session}/elicitations/${question.id}`
  /** The JSON as it is: `JSON.stringify` would leave `__proto__` out. */
  const answer = (json: string) =>
    Effect.promise(async () => {
      const headers = { "content-type": "application/json", connection: "close" }
      const response = await fetch(`${running.url}${path}`, { method: "POST", headers, body: json })
      return { status: response.status, body: await response.json() as Reply }
    })
  return { ...running, session, answer }
})

const fields = "\"name\":\"Ada\",\"season\":\"spring\""

describe("an answer to a form", () => {
  it.scopedLive(
    "with what was not asked for, or of another kind, is refused and leaves the question open",
    () =>
      Effect.gen(function*() {
        const { answer, history, session } = yield* asked
        for (
          const [content, path] of [
            [`{${fields},"extra":1}`, "extra"],
            [`{${fields},"__proto__":{"polluted":true}}`, "__proto__"],
            [`{${fields},"constructor":{"prototype":{"polluted":true}}}`, "constructor"],
            [`{${fields},"toString":"x"}`, "toString"],
            [`{"name":"Ada","season":"never"}`, "season"],
            [`{"name":"Ada","season":"__proto__"}`, "season"],
            [`{"name":{"length":3},"season":"spring"}`, "name"],
            [`{"name":["Ada"],"season":"spring"}`, "name"],
            [`{"name":"${"A".repeat(41)}","season":"spring"}`, "name"],
            [`{${fields},"copies":"1"}`, "copies"],
            [`{${fields},"copies":1e400}`, "copies"],
            [`{${fields},"copies":1.5}`, "copies"],
            [`{${fields},"stamp":"true"}`, "stamp"],
            [`{${fields},"colours":["red","red","red"]}`, "colours"],
            [`{${fields},"colours":{"length":1,"0":"red"}}`, "colours"],
            ["{}", "name"]
          ] as const
        ) {
          const { body, status } = yield* answer(`{"action":"accept","content":${content}}`)
          expect([status, body._tag], content).toEqual([422, "ElicitationAnswerInvalid"])
          expect(body.issues?.some((issue) => issue.path[0] === path), content).toBe(true)
          expect(JSON.stringify(body).length).toBeLessThan(2000)
        }
        for (
          const json of [
            "null",
            "[]",
            "\"accept\"",
            "{\"action\":\"accept\",\"content\":[]}",
            "{\"action\":\"accept\",\"content\":null}",
            "{\"action\":\"ACCEPT\"}",
            "{\"action\":[\"accept\"]}",
            `{"action":"decline","__proto__":{"action":"accept"}}`,
            `{"__proto__":{"action":"accept"},"content":{${fields}}}`
          ]
        ) {
          expect((yield* answer(json)).status, json).toBe(400)
        }
        const types = (yield* history(session)).map(({ event }) => event.type)
        expect(types).not.toContain("ElicitationSettled")
        // of two equal names JSON takes the last, and so do all who look at it
        const { status } = yield* answer(`{"action":"decline","action":"accept","content":{"name":"Eve",${fields}}}`)
        expect(status).toBe(200)
      }),
    60_000
  )

  it.scopedLive(
    "is given to the agent as it was checked, with nothing that was inherited",
    () =>
      Effect.gen(function*() {
        const { answer, history, session } = yield* asked
        expect((yield* answer(`{"action":"accept","content":{${fields}}}`)).status).toBe(200)
        expect((yield* answer(`{"action":"accept","content":{${fields}}}`)).body._tag).toBe("ElicitationAlreadySettled")
        const text = yield* Effect.repeat(
          Effect.map(
            history(session),
            (events) => events.flatMap(({ event }) => event.type === "TextChunk" ? [event.text] : []).join("")
          ),
          { until: (text) => text.includes("}") }
        )
        expect(JSON.parse(text.slice(text.indexOf("{")))).toEqual({
          name: "Ada",
          season: "spring",
          copies: 1,
          stamp: true,
          colours: ["blue"]
        })
      }),
    60_000
  )
})

/**
 * Any request that the document allows, and many that it does not, to a whole gateway: never a 500, never a hang, never
 * an answer that the document does not declare, and at the end nothing is left.
 *
 * `HOLDFAST_FUZZ_RUNS=100000 HOLDFAST_FUZZ_SEED=7 npx vitest run test/attacks/Fuzz.test.ts` tries more, and others.
 */
import * as NodeContext from "@effect/platform-node/NodeContext"
import { expect, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as fc from "effect/FastCheck"
import * as Layer from "effect/Layer"
import { leakFreeFile } from "holdfast/testing/vitest"
import * as Http from "node:http"
import * as Agent from "../../src/agent/Agent.js"
import * as Content from "../../src/domain/Content.js"
import * as Gateway from "../../src/gateway/Gateway.js"
import * as EventLog from "../../src/log/EventLog.js"
import * as Sessions from "../../src/session/Sessions.js"
import * as ScriptedAgent from "../../src/testing/ScriptedAgent.js"
import { request as call } from "../gateway/fixture.js"
import * as Document from "./fuzz/Document.js"
import { type FuzzRequest, requests } from "./fuzz/Requests.js"

leakFreeFile()

const runs = Number(process.env.HOLDFAST_FUZZ_RUNS ?? 1500)
const seed = Number(process.env.HOLDFAST_FUZZ_SEED ?? 20261127)

const agent = ScriptedAgent.make({
  turn: ({ ask, content, say }) =>
    Effect.gen(function*() {
      yield* say({ type: "TextChunk", text: Content.toText(content) })
      const properties = { name: { type: "string" as const } }
      yield* ask({ kind: "form", message: "Who?", schema: { type: "object", properties, required: ["name"] } })
    })
})

/** A gateway over real sessions, whose agents ask something in each turn. */
const gateway = Effect.gen(function*() {
  const scripted = yield* agent
  const layer = Gateway.layer({ version: "1.2.3", port: 0 }).pipe(
    Layer.provideMerge(Sessions.layerWith({ maxSessions: 40, maxQueued: 3, maxPending: 3 })),
    Layer.provideMerge(Agent.layer([scripted])),
    Layer.provide([EventLog.layerMemory, NodeContext.layer])
  )
  return { scripted, gateway: Context.get(yield* Layer.build(layer), Gateway.Gateway) }
})

interface Answer {
  readonly status: number
  readonly type: string
  readonly text: string
}

class Unanswered extends Data.TaggedError("Unanswered")<{ readonly message: string }> {}

const send = ({ url }: Gateway.Gateway["Type"], { body, headers, method, target }: FuzzRequest) =>
  Effect.async<Answer, Unanswered>((resume) => {
    const { hostname, port } = new URL(url)
    const length = body === undefined ? {} : { "content-length": String(Buffer.byteLength(body)) }
    const request = Http.request({
      hostname,
      port,
      method,
      path: target,
      headers: { ...headers, ...length },
      agent: false
    })
    request.once("error", (error) => resume(Effect.fail(new Unanswered({ message: error.message }))))
    request.once("response", (response) => {
      const type = response.headers["content-type"] ?? ""
      const status = response.statusCode ?? 0
      // a stream does not end by itself
      if (/event-stream|ndjson/.test(type)) {
        request.destroy()
        return resume(Effect.succeed({ status, type, text: "" }))
      }
      let text = ""
      response.setEncoding("utf8").on("data", (part: string) => text += part)
      response.once("end", () => resume(Effect.succeed({ status, type, text })))
      response.once("error", (error) => resume(Effect.fail(new Unanswered({ message: error.message }))))
    })
    request.end(body)
    return Effect.sync(() => request.destroy())
  }).pipe(
    Effect.timeoutFail({ duration: "20 seconds", onTimeout: () => new Unanswered({ message: "no answer came" }) })
  )

const pattern = (path: string) => new RegExp(`^${path.replace(/\{\w+\}/g, "[^/]*")}$`)

/** Says what is wrong with the answer. */
const judge = (document: Document.OpenApi) => {
  const operations = Document.operations(document)
  return ({ method, target }: FuzzRequest, { status, text, type }: Answer): string | undefined => {
    if (status >= 500 && status !== 503) return "a server error"
    const path = target.split("?")[0] ?? ""
    const route = operations.filter((operation) => pattern(operation.path).test(path))
    const operation = route.find((operation) => operation.method === (method === "HEAD" ? "GET" : method))
    if (/event-stream|ndjson/.test(type)) {
      return operation?.types[status]?.includes("text/event-stream") === true ? undefined : "a stream"
    }
    // a redirect to the pages, which are no part of the API
    if (operation === undefined && /^\/?(docs|openapi\.json)?$/.test(path.replace(/^\//, ""))) return
    if (method === "HEAD") return text === "" ? undefined : "a body to HEAD"
    if (operation === undefined && ![400, 403, 404, 405, 413, 415].includes(status)) return "a status without a route"
    const declared = operation ?? operations[0]
    if (declared === undefined || !(status in declared.responses)) return "a status that is not declared"
    const schema = declared.responses[status]
    if (schema === undefined) {
      return text === "" || declared.types[status]?.includes(type) === true ? undefined : "a body that is not declared"
    }
    return Document.allows(document, schema, JSON.parse(text)) ? undefined : "a body that is not as declared"
  }
}

it.scopedLive("no request makes the gateway stumble", () =>
  Effect.gen(function*() {
    const { gateway: it, scripted } = yield* gateway
    const document = (yield* call(it, "GET", "/openapi.json")).body as unknown as Document.OpenApi
    expect(Document.operations(document).length).toBeGreaterThan(15)
    const wrong = judge(document)

    const ids = { id: ["ses_none"], elicitationId: ["eli_none"] }
    /** A session with an open question, and one that is closed. */
    const refresh = Effect.gen(function*() {
      const open = () => call(it, "POST", "/v1/sessions", { json: { agent: "scripted" } })
      for (const id of [...ids.id]) yield* call(it, "DELETE", `/v1/sessions/${id}`)
      const { body: closed } = yield* open()
      yield* call(it, "DELETE", `/v1/sessions/${closed.id}`)
      const { body: idle } = yield* open()
      const { body: waiting } = yield* open()
      yield* call(it, "POST", `/v1/sessions/${waiting.id}/runs`, { json: { prompt: "p" } })
      const questions = yield* Effect.repeat(
        Effect.map(
          call(it, "GET", `/v1/sessions/${waiting.id}/elicitations`),
          ({ body }) => body.elicitations as ReadonlyArray<{ id: string }>
        ),
        { until: (questions) => questions.length > 0 }
      )
      ids.id = [waiting.id, idle.id, closed.id].map(String)
      ids.elicitationId = questions.map(({ id }) => id)
    })
    // chosen by number, so that a run can be repeated though the names are new in each
    const known = (name: string) => fc.constantFrom("0", "1", "2").map((index) => `<${name}:${index}>`)
    const named = (request: FuzzRequest): FuzzRequest => ({
      ...request,
      target: request.target.replace(/<(id|elicitationId):(\d)>/g, (_, name: keyof typeof ids, index) =>
        ids[name][Number(index) % ids[name].length] ?? "")
    })

    const seen = new Map<number, number>()
    let count = 0
    const check = (request: FuzzRequest) =>
      Effect.gen(function*() {
        if (count++ % 40 === 0) {
          yield* refresh
        }
        const answer = yield* send(it, named(request))
        seen.set(answer.status, (seen.get(answer.status) ?? 0) + 1)
        const fault = wrong(named(request), answer)
        if (fault !== undefined) {
          throw new Error(`${fault}: ${answer.status} ${answer.text.slice(0, 500)}`)
        }
      })
    const runtime = yield* Effect.runtime()
    const { runPromise } = yield* Effect.promise(() =>
      import("effect/Runtime")
    )
    yield* Effect.promise(() =>
      fc.assert(fc.asyncProperty(requests(document, known), (request) => runPromise(runtime)(check(request))), {
        numRuns: runs,
        seed,
        endOnFailure: runs > 10_000
      })
    )
    // it was no monologue: commands were carried out, and refused for many reasons
    expect([...seen.keys()]).toEqual(expect.arrayContaining([200, 202, 204, 400, 403, 404, 405, 409, 415, 422]))

    const { body } = yield* call(it, "GET", "/v1/sessions?limit=200")
    const all = body.sessions as ReadonlyArray<{ id: string }>
    for (const { id } of all) expect((yield* call(it, "DELETE", `/v1/sessions/${id}`)).status).toBe(204)
    expect(yield* scripted.live).toEqual([])
    expect((yield* call(it, "GET", "/health")).status).toBe(200)
  }), 600_000)

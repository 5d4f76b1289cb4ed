import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Tracer from "effect/Tracer"
import { leakFreeFile } from "holdfast/testing/vitest"
import { AgentDied } from "../../src/domain/Errors.js"
import * as Discreet from "../../src/telemetry/Discreet.js"
import * as Spans from "./spans.js"

leakFreeFile()

const secret = "hunter2"
const died = new AgentDied({ exitCode: 1, signal: null, stderr: secret, message: `it died: ${secret}` })

/** What is told of a program that is traced with this share of traces. */
const told = <A, E>(program: Effect.Effect<A, E>, ratio = 1) => {
  const { ended, tracer } = Spans.recorder()
  return Effect.as(Effect.exit(Effect.withTracer(program, Discreet.make(tracer, ratio))), ended)
}

const root = Effect.withSpan(Effect.void, "holdfast.test", { root: true })

describe("Discreet", () => {
  it.effect("EB11 of an error its kind is told and not its words, of a request neither headers nor query", () =>
    Effect.gen(function*() {
      const failing = (failure: Effect.Effect<never, unknown>) =>
        Effect.withSpan(failure, "holdfast.test", { captureStackTrace: false })
      const spans = yield* told(Effect.all([
        failing(Effect.fail(died)),
        failing(Effect.fail(secret)),
        failing(Effect.die(new Error(secret))),
        failing(Effect.zipRight(Effect.annotateCurrentSpan("holdfast.agent", "demo"), Effect.interrupt)),
        Effect.withSpan(Effect.void, "http.server GET", {
          attributes: {
            "url.full": `http://localhost/?ticket=${secret}`,
            "url.query": `ticket=${secret}`,
            "http.request.header.authorization": secret,
            "http.response.header.set-cookie": secret,
            "url.path": "/v1/sessions",
            "http.response.status_code": 200
          }
        })
      ].map(Effect.exit)))
      expect(spans.map(({ attributes, failed, name }) => ({ name, failed, attributes }))).toEqual([
        { name: "holdfast.test", failed: true, attributes: { "error.type": "AgentDied" } },
        { name: "holdfast.test", failed: true, attributes: { "error.type": "Failure" } },
        { name: "holdfast.test", failed: true, attributes: { "error.type": "Defect" } },
        { name: "holdfast.test", failed: false, attributes: { "holdfast.agent": "demo" } },
        {
          name: "http.server GET",
          failed: false,
          attributes: { "url.path": "/v1/sessions", "http.response.status_code": 200 }
        }
      ])
      expect(JSON.stringify(spans.map(({ exit }) => exit))).not.toContain(secret)
    }))

  it.effect("the share of traces that is asked for is told, each whole or not at all", () =>
    Effect.gen(function*() {
      const tree = Effect.withSpan(Effect.withSpan(Effect.void, "sql.execute"), "holdfast.test", { root: true })
      const many = Effect.repeatN(tree, 3999)
      expect((yield* told(many, 0)).length).toBe(0)
      expect((yield* told(many, 1)).length).toBe(8000)
      const some = yield* told(many, 0.25)
      expect(some.length / 8000).toBeGreaterThan(0.2)
      expect(some.length / 8000).toBeLessThan(0.3)
      expect(new Set(some.map(({ traceId }) => traceId)).size).toBe(some.length / 2)
    }))

  it.effect("a trace that somebody else began is told if they say so", () =>
    Effect.gen(function*() {
      const under = (sampled: boolean) =>
        Effect.withSpan(Effect.void, "http.server GET", {
          parent: Tracer.externalSpan({
            traceId: "0af7651916cd43dd8448eb211c80319c",
            spanId: "b7ad6b7169203331",
            sampled
          })
        })
      expect((yield* told(under(true), 0)).length).toBe(1)
      expect((yield* told(under(false), 1)).length).toBe(0)
    }))

  it.effect("what nobody asked for is no trace", () =>
    Effect.gen(function*() {
      expect((yield* told(Effect.withSpan(Effect.void, "sql.execute"))).length).toBe(0)
      expect((yield* told(root)).length).toBe(1)
    }))
})

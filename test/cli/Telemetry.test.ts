import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as NodeFs from "node:fs"
import * as NodePath from "node:path"
import { fileURLToPath } from "node:url"
import * as Program from "../program.js"
import * as Collector from "../telemetry/collector.js"
import * as Spans from "../telemetry/spans.js"
import * as Cli from "./program.js"

const guide = NodeFs.readFileSync(fileURLToPath(new URL("../../docs/observability.md", import.meta.url)), "utf8")

const isEnd = ({ data }: Program.Frame) => data.event.type === "RunEnded"

const stop = Effect.fnUntraced(function*(gateway: Program.Running) {
  gateway.process.kill("SIGTERM")
  const { code } = yield* gateway.exited
  return { code, ...gateway.output() }
})

const lines = (text: string, pattern: RegExp) => text.split("\n").filter((line) => pattern.test(line))

describe("telemetry", () => {
  it.scopedLive(
    "a run with a tool call, a question and a restart is the trace that the guide shows, and tells no secret",
    () =>
      Effect.gen(function*() {
        const collector = yield* Collector.make
        const data = yield* Program.temporary
        NodeFs.writeFileSync(
          NodePath.join(data, "holdfast.yaml"),
          [
            "token: gateway-s3cret",
            "telemetry:",
            `  otlp: { url: "${collector.url}/", headers: { x-api-key: { fromEnv: COLLECTOR_KEY } } }`,
            "  serviceName: agents",
            "log: { format: json, level: all }"
          ].join("\n")
        )
        const gateway = yield* Program.gateway(data, { COLLECTOR_KEY: "collector-s3cret", OTEL_SERVICE_NAME: "other" })
        const headers = { authorization: "Bearer gateway-s3cret", "content-type": "application/json" }
        const call = (method: string, path: string, body?: unknown, more: Record<string, string> = {}) =>
          Effect.promise(async () => {
            const init = body === undefined ? {} : { body: JSON.stringify(body) }
            const sent = { method, headers: { ...headers, ...more }, ...init }
            return JSON.parse(await (await fetch(`${gateway.url}${path}`, sent)).text())
          })
        const open = yield* call("POST", "/v1/sessions", { agent: "demo", cwd: data })
        const path = `/v1/sessions/${open.id}`
        const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
        const { runId } = yield* call("POST", `${path}/runs`, { prompt: "/permission hunter2" }, { traceparent })
        const question = yield* call("GET", `${path}/elicitations`).pipe(
          Effect.map(({ elicitations }) => elicitations[0]),
          Effect.repeat({ until: (question) => question !== undefined })
        )
        const answer = { action: "accept", content: { optionId: "allow_once" } }
        yield* call("POST", `${path}/elicitations/${question.id}`, answer)
        yield* Effect.repeat(call("GET", path), { until: ({ status }) => status === "idle" })
        yield* call("POST", `${path}/restart`, { wait: true })
        const { code, stderr } = yield* stop(gateway)

        expect(code).toBe(0)
        const spans = collector.spans()
        expect(Spans.faults(spans.filter(({ name }) => !name.startsWith("http.server")))).toEqual([])
        // the questions that this test asks until it is answered are no part of what it is about
        const told = spans.filter(({ attributes }) => attributes["http.request.method"] !== "GET")
        const tree = Spans.render(told)
        expect(guide).toContain(`\`\`\`text\n${tree}\n\`\`\``)
        const run = spans.find(({ name }) => name === "holdfast.run")
        expect(run?.attributes).toMatchObject({ "holdfast.run.id": runId, "holdfast.session.id": open.id })
        expect(run?.links).toEqual([["0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"]])
        const prompted = spans.find(({ attributes, name }) =>
          name.startsWith("http.server") && attributes["holdfast.run.id"] === runId
        )
        expect(prompted).toMatchObject({ traceId: "0af7651916cd43dd8448eb211c80319c", parent: "b7ad6b7169203331" })
        expect(collector.resource()).toMatchObject({ "service.name": "agents" })
        expect(collector.headers()["x-api-key"]).toBe("collector-s3cret")
        for (const secret of ["s3cret", "hunter2"]) {
          expect(collector.raw()).not.toContain(secret)
          expect(stderr).not.toContain(secret)
        }
        // what OtlpTracer says of each failed span, and is not so
        expect(collector.raw()).not.toContain("interrupted")
      }),
    60_000
  )

  it.scopedLive(
    "EL5 after kill -9 the next start tells the trace of the run, whole; addresses come from OTEL_ variables, too",
    () =>
      Effect.gen(function*() {
        const collector = yield* Collector.make
        const data = yield* Program.temporary
        const env = { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url, OTEL_EXPORTER_OTLP_HEADERS: "x-a=1%202,x-b=b=c" }
        const first = yield* Program.gateway(data, env)
        const id = yield* first.open()
        yield* first.prompt(id, "/permission")
        yield* Program.follow(`${first.url}/v1/sessions/${id}/events`, {
          done: ({ data }) => data.event.type === "ElicitationRequested"
        })
        first.process.kill("SIGKILL")
        yield* first.exited
        expect(collector.spans().filter(({ name }) => name === "holdfast.run")).toEqual([])

        const second = yield* Program.gateway(data, env)
        yield* stop(second)
        const ofRun = collector.spans().filter(({ attributes, name }) =>
          name.startsWith("holdfast.") && attributes["holdfast.run.id"] !== undefined
        )
        expect(Spans.faults(ofRun)).toEqual([])
        expect(Spans.render(ofRun).replace(/\d+\.\.\d+/g, "N..M")).toBe([
          "holdfast.run Lost Lost N..M",
          "  holdfast.tool_call true Unfinished N..M",
          "  holdfast.elicitation permission Withdrawn N..M"
        ].join("\n"))
        expect(collector.headers()).toMatchObject({ "x-a": "1 2", "x-b": "b=c" })
        expect(collector.resource()).toMatchObject({ "service.name": "holdfast", "service.version": "0.1.0" })
      }),
    60_000
  )

  it.scopedLive(
    "a collector that is away, hangs or refuses holds up nothing, neither runs nor the end, and is told of once",
    () =>
      Effect.gen(function*() {
        const serve = Effect.fnUntraced(function*(url: string, until: () => boolean) {
          const data = yield* Program.temporary
          const gateway = yield* Program.gateway(data, { HOLDFAST_TELEMETRY_OTLP_URL: url })
          const id = yield* gateway.open()
          const events = `${gateway.url}/v1/sessions/${id}/events`
          for (let run = 0, after = 0; run < 3; run++) {
            yield* gateway.prompt(id, "/tools")
            const frames = yield* Program.follow(events, { lastEventId: after, done: isEnd })
            after = frames.at(-1)?.id ?? after
          }
          yield* Program.eventually(() => until() || /traces do not reach/.test(gateway.output().stderr))
          return yield* stop(gateway)
        })
        // nothing listens on the port of a server that is closed
        const gone = yield* Effect.scoped(Effect.map(Collector.make, ({ url }) => url))
        const [refuses, hangs] = [yield* Collector.make, yield* Collector.make]
        refuses.behave(503)
        hangs.behave("hang")
        const [away, refusing, hanging] = yield* Effect.all([
          serve(gone, () => false),
          serve(refuses.url, () => false),
          serve(hangs.url, () => hangs.requests() > 0)
        ], { concurrency: "unbounded" })
        for (const { code, stderr } of [away, refusing, hanging]) {
          expect(code).toBe(0)
          expect(lines(stderr, /level=(WARN|ERROR|FATAL)/).length).toBe(1)
        }
        expect(away.stderr).toMatch(/traces do not reach http:\/\/127\.0\.0\.1:\d+\/v1\/traces, .*ECONNREFUSED/)
        expect(refusing.stderr).toMatch(/it answered 503/)
        expect(hanging.stderr).toMatch(/had not answered when Holdfast ended/)
      }),
    120_000
  )

  it.scopedLive(
    "what makes no sense is one line that says where, and a run in the terminal is traced as well",
    () =>
      Effect.gen(function*() {
        const cwd = yield* Cli.folder
        const faults = (env: Record<string, string>) =>
          Effect.map(
            Cli.run({ cwd, env }, "serve", "--port", "0", "--data", "d"),
            ({ code, stderr }) => `${code} ${stderr}`
          )
        expect(yield* faults({ OTEL_EXPORTER_OTLP_ENDPOINT: "localhost" })).toBe(
          "2 holdfast: OTEL_EXPORTER_OTLP_ENDPOINT: must be an address like http://127.0.0.1:4318, not \"localhost\"\n"
        )
        expect(yield* faults({ HOLDFAST_TELEMETRY_SAMPLING: "2" })).toBe(
          "2 holdfast: HOLDFAST_TELEMETRY_SAMPLING: must be a number from 0 to 1, not 2\n"
        )
        NodeFs.writeFileSync(
          NodePath.join(cwd, "holdfast.yaml"),
          "telemetry: { otlp: { url: \"http://127.0.0.1:1\", headers: { k: { fromEnv: NO_SUCH } } } }"
        )
        expect(yield* faults({})).toBe("2 holdfast: telemetry.otlp.headers.k: the variable NO_SUCH is not set\n")

        const collector = yield* Collector.make
        const elsewhere = yield* Cli.folder
        const env = { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url }
        const { code } = yield* Cli.run({ cwd: elsewhere, env }, "run", "--agent", "demo", "/stream 3")
        expect(code).toBe(0)
        expect(collector.spans().map(({ name }) => name).sort()).toEqual(["holdfast.run", "holdfast.stream.dial"])
        const off = { ...env, OTEL_SDK_DISABLED: "true" }
        const told = collector.requests()
        yield* Cli.run({ cwd: elsewhere, env: off }, "run", "--agent", "demo", "/stream 3")
        expect(collector.requests()).toBe(told)
      }),
    60_000
  )
})

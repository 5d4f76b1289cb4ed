/** What the docs tell a newcomer to do: the loop's demo from a clone, with one command, and through HTTP as any other agent. */
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as NodeFs from "node:fs"
import { fileURLToPath } from "node:url"
import { eventually, start, temporary } from "../../program.js"

const root = fileURLToPath(new URL("../../..", import.meta.url))

interface Stored {
  readonly runId?: string
  readonly event: {
    readonly type: string
    readonly text?: string
    readonly outcome?: { readonly _tag: string }
    readonly elicitation?: unknown
  }
}

interface Question {
  readonly id: string
  readonly options: ReadonlyArray<{ readonly optionId: string; readonly kind: string }>
}

/** `npm start` is `exec node dist/main.js serve`. */
const serve = (...args: ReadonlyArray<string>) =>
  Effect.gen(function*() {
    const data = yield* temporary
    const running = yield* start(["serve", "--port", "0", "--data", data, ...args], { cwd: root })
    const url = yield* eventually(() => {
      const { stderr, stdout } = running.output()
      if (running.process.exitCode !== null) throw new Error(`the gateway exited: ${stderr}`)
      return /listening on (\S+)\n/.exec(stdout)?.[1]
    })
    const json = (method: string, path: string, body?: unknown) =>
      Effect.promise(async () => {
        const response = await fetch(`${url}${path}`, {
          method,
          headers: { "content-type": "application/json" },
          ...body === undefined ? {} : { body: JSON.stringify(body) }
        })
        const text = await response.text()
        return text === "" ? undefined : JSON.parse(text)
      })
    const open = (agent = "loop") =>
      Effect.map(json("POST", "/v1/sessions", { agent, cwd: root }), ({ id }): string => id)
    const events = (session: string) =>
      Effect.promise(async (): Promise<ReadonlyArray<Stored>> => {
        const response = await fetch(`${url}/v1/sessions/${session}/events?follow=false`, {
          headers: { accept: "application/x-ndjson" }
        })
        const lines = (await response.text()).split("\n").filter((line) => line !== "")
        return lines.map((line) => JSON.parse(line))
      })
    const look = <A>(effect: Effect.Effect<A | undefined>): Effect.Effect<A> =>
      Effect.flatMap(effect, (found) =>
        found === undefined ? Effect.delay(look(effect), "30 millis") : Effect.succeed(found))
    /** The next question, answered. */
    const answer = (session: string, body: (question: Question) => unknown) =>
      Effect.gen(function*() {
        const question = yield* look(Effect.map(
          json("GET", `/v1/sessions/${session}/elicitations`),
          ({ elicitations: [first] }) =>
            first
        ))
        yield* json("POST", `/v1/sessions/${session}/elicitations/${question.id}`, body(question))
        return question
      })
    /** Runs a prompt and tells the events of its session, once its run is over. */
    const prompt = (session: string, text: string) =>
      Effect.gen(function*() {
        const { runId } = yield* json("POST", `/v1/sessions/${session}/runs`, { prompt: text })
        const history = look(Effect.map(events(session), (all) =>
          all.some(({ event, runId: run }) => event.type === "RunEnded" && run === runId)
            ? all
            : undefined))
        return { runId: String(runId), history }
      })
    return { ...running, open, prompt, answer }
  })

const textOf = (history: ReadonlyArray<Stored>, runId?: string): string =>
  history.filter((stored) => stored.event.type === "TextChunk" && (runId === undefined || stored.runId === runId))
    .map(({ event }) => event.text ?? "").join("")

const outcomeOf = (history: ReadonlyArray<Stored>, runId: string) =>
  history.find(({ event, runId: run }) => event.type === "RunEnded" && run === runId)?.event.outcome

const kinds = (history: ReadonlyArray<Stored>) => history.map(({ event }) => event.type)

describe("the loop's demo, by the one command of docs/loop-config.md", () => {
  it.scopedLive("streams, uses tools, asks, and lets a sub-agent work", () =>
    Effect.gen(function*() {
      const command = /npm start -- (--config \S+)/.exec(NodeFs.readFileSync(`${root}/docs/loop-config.md`, "utf8"))
        ?.[1]
      const { answer, exited, open, process, prompt } = yield* serve(...(command ?? "").split(" "))

      const session = yield* open()
      const tools = yield* prompt(session, "/tools")
      const history = yield* tools.history
      expect(outcomeOf(history, tools.runId)).toMatchObject({ _tag: "Completed" })
      expect(textOf(history)).toContain("Echo: hello from the model")
      expect(textOf(history)).toContain("The sum of 19 and 23 is 42.")
      expect(kinds(history)).toContain("ToolCallEnded")

      const question = yield* prompt(session, "/question")
      const permission = yield* answer(session, ({ options }) => ({
        action: "accept",
        content: { optionId: options.find(({ kind }) => kind === "allow_once")?.optionId }
      }))
      expect(permission).toMatchObject({ kind: "permission", runId: question.runId })
      const form = yield* answer(session, () => ({ action: "accept", content: { name: "Ada", check: true } }))
      expect(form).toMatchObject({ kind: "form", runId: question.runId })
      expect(textOf(yield* question.history, question.runId)).toContain("Ada")

      const transfer = yield* prompt(session, "/transfer helper /tools")
      const nested = yield* transfer.history
      expect(textOf(nested, transfer.runId)).toContain("The sum of 19 and 23 is 42.")
      expect(nested.filter(({ event }) => event.type === "RunEnded")).toHaveLength(4)

      const denied = yield* prompt(session, "/tool get-env")
      expect(textOf(yield* denied.history, denied.runId)).toContain("the permissions deny everything__get-env")

      process.kill("SIGTERM")
      expect(yield* exited).toEqual({ code: 0, signal: null })
    }), 60_000)

  it.scopedLive(
    "a model or an MCP server that misbehaves ends or continues the run as it should, over HTTP",
    () =>
      Effect.gen(function*() {
        const folder = yield* temporary
        NodeFs.writeFileSync(
          `${folder}/loop.yaml`,
          `
agents:
  loop:
    kind: loop
    model: { provider: demo, model: demo, fallbacks: [{ provider: demo, model: demo-small }] }
    limits: { attempts: 2, repeats: 3 }
  hasty:
    kind: loop
    model: { provider: demo, model: demo }
    limits: { idle: 0.5, attempts: 2 }
  asking:
    kind: loop
    model: { provider: demo, model: demo }
    tools: [{ mcp: { name: faulty, command: ${process.execPath}, args: [${root}/test/agent/loop/mcp/fixtures/server.mjs] } }]
    permissions: { allow: ["*"] }
    hooks: { PreToolUse: [{ command: /bin/sh, args: [-c, "echo not that one >&2; exit 2"], tools: "*whoami" }] }
`
        )
        const { open, prompt } = yield* serve("--config", `${folder}/loop.yaml`)
        const run = (text: string, agent?: string) =>
          Effect.gen(function*() {
            const { history, runId } = yield* prompt(yield* open(agent), text)
            const all = yield* history
            return { text: textOf(all, runId), outcome: outcomeOf(all, runId), all }
          })
        const [refused, limited, half, stalled, unknown, garbage, empty, down, repeat] = yield* Effect.all([
          run("/401"),
          run("/429"),
          run("/half"),
          run("/stall", "hasty"),
          run("/unknown"),
          run("/garbage"),
          run("/empty"),
          run("/down demo"),
          run("/repeat")
        ], { concurrency: "unbounded" })
        expect(refused.outcome).toMatchObject({ _tag: "Failed", error: { _tag: "AgentAuthRequired" } })
        expect(limited).toMatchObject({ text: "Now it works.", outcome: { _tag: "Completed" } })
        expect(half.outcome).toMatchObject({ _tag: "Failed", error: { message: expect.stringContaining("broke off") } })
        expect(stalled.outcome).toMatchObject({
          _tag: "Failed",
          error: { message: expect.stringContaining("said nothing") }
        })
        expect(unknown).toMatchObject({ text: expect.stringContaining("no-such-tool"), outcome: { _tag: "Completed" } })
        expect(garbage).toMatchObject({
          text: expect.stringContaining("The tool answered"),
          outcome: { _tag: "Completed" }
        })
        expect(empty).toMatchObject({ text: "", outcome: { _tag: "Completed" } })
        expect(down).toMatchObject({ text: "I am demo-small.", outcome: { _tag: "Completed" } })
        expect(kinds(down.all)).toContain("Warning")
        expect(repeat.outcome).toMatchObject({ _tag: "Completed", stopReason: "max_turn_requests" })

        const session = yield* open("asking")
        const dying = yield* prompt(session, "/tool askAndDie")
        const history = yield* dying.history
        // by now it is taken back
        const asked = history.find(({ event }) => event.type === "ElicitationRequested")
        expect(asked?.event.elicitation).toMatchObject({ kind: "form", runId: dying.runId, message: "before I go" })
        expect(textOf(history, dying.runId)).toMatch(/The tool answered: "faulty: /)
        expect(outcomeOf(history, dying.runId)).toMatchObject({ _tag: "Completed" })
        expect(kinds(history).filter((kind) => kind === "RunEnded")).toHaveLength(1)
        const settled = history.find(({ event }) => event.type === "ElicitationSettled")
        expect(settled?.event.outcome).toMatchObject({ _tag: "Withdrawn" })

        const hooked = yield* prompt(session, "/tool whoami")
        expect(textOf(yield* hooked.history, hooked.runId)).toContain("not that one")
      }),
    60_000
  )
})

/** `holdfast acp` as an editor starts it: real processes on both sides, with the demo agent behind. */
import * as acp from "@agentclientprotocol/sdk"
import { describe, expect, it } from "@effect/vitest"
import Database from "better-sqlite3"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import * as NodeChild from "node:child_process"
import * as NodeFs from "node:fs"
import { fileURLToPath } from "node:url"
import { select, until } from "../../gateway/acp/fixture.js"
import * as Program from "../../program.js"
import * as Editor from "./Editor.js"

const live = (name: string, test: Effect.Effect<void, unknown, Scope.Scope>, timeout = 120_000) =>
  it.scopedLive(name, () => test, timeout)

const chunks = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, index) => `chunk ${from + index} `).join("")

/** Where the sessions live, and how an editor gets there. */
interface Place {
  readonly cwd: string
  readonly gateway?: Effect.Effect.Success<ReturnType<typeof Program.gateway>>
  readonly args: ReadonlyArray<string>
}

const inGatewayWith = Effect.fnUntraced(function*(env: Record<string, string>) {
  const cwd = yield* Program.temporary
  const gateway = yield* Program.gateway(cwd, env)
  return { cwd, gateway, args: ["--agent", "demo", "--url", gateway.url] }
})
const inGateway = inGatewayWith({})

const inOwnProcess = Effect.map(Program.temporary, (cwd): Place => ({
  cwd,
  args: ["--agent", "demo", "--data", `${cwd}/data`]
}))

/** The session's log says so, wherever that is; the editor is not asked. */
const runEnded = ({ cwd, gateway }: Place, session: string) =>
  Effect.suspend(() => {
    if (gateway !== undefined) {
      return Effect.map(
        gateway.request("GET", `/v1/sessions/${session}`),
        ({ body }): boolean => body.status === "idle" && body.head > 50_000
      )
    }
    const database = new Database(`${cwd}/data/holdfast.db`, { readonly: true })
    const found = database.prepare("SELECT 1 FROM holdfast_events WHERE type = 'RunEnded'").all()
    database.close()
    return Effect.succeed(found.length > 0)
  }).pipe(
    Effect.repeat({ until: (ended) => ended, schedule: Schedule.spaced("100 millis") }),
    Effect.timeout("100 seconds")
  )

const start = ({ args, cwd }: Place, options: Partial<Editor.Options> = {}) =>
  Editor.start({ cwd, ...options }, ...args)

const places: ReadonlyArray<readonly [name: string, place: Effect.Effect<Place, never, Scope.Scope>]> = [
  ["in a gateway", inGateway],
  ["in its own process", inOwnProcess]
]

describe.each(places)("holdfast acp, sessions %s", (_, make) => {
  live(
    "a conversation: thoughts, plan, tool calls, a permission, commands, title and usage; then the editor leaves, exit 0",
    Effect.gen(function*() {
      const place = yield* make
      const editor = yield* start(place)
      const session = yield* Editor.open(editor, place.cwd)
      expect(session.opened).toMatchObject({
        modes: { currentModeId: "plain", availableModes: [{ id: "plain" }, { id: "verbose" }] },
        configOptions: [{ id: "pace" }]
      })
      const turn = yield* Effect.fork(session.turn("hello"))
      const question = yield* editor.asked()
      expect(question.params).toMatchObject({
        toolCall: { title: "Sign the guest book", kind: "edit", content: [{ type: "diff" }] },
        options: [{ optionId: "allow_once" }, { optionId: "allow_always" }, { optionId: "reject_once" }]
      })
      // the tool call that it is about has been told before it
      expect(editor.order.slice(-3)).toStrictEqual(["tool_call", "tool_call_update", "permission"])
      yield* question.answer(select("allow_once"))
      const { said, stopReason } = yield* Fiber.join(turn)
      expect(stopReason).toBe("end_turn")
      expect(said).toMatch(/^Hello! .*Thank you: you chose "Allow once".*\/help to see what else I can do\.$/s)
      expect(session.thought()).toMatch(/^Somebody is here\./)
      expect(session.heard()).toBe("")
      const kinds = new Set(session.updates().map(({ sessionUpdate }) => sessionUpdate))
      expect([...kinds].toSorted()).toStrictEqual([
        "agent_message_chunk",
        "agent_thought_chunk",
        "available_commands_update",
        "plan",
        "session_info_update",
        "tool_call",
        "tool_call_update",
        "usage_update"
      ])
      // stdout is the protocol's
      for (const line of editor.lines) expect(JSON.parse(line)).toMatchObject({ jsonrpc: "2.0" })
      expect(yield* editor.leave).toStrictEqual({ code: 0, signal: null })
    })
  )

  live(
    "every script of the demo, one after the other in one session",
    Effect.gen(function*() {
      const place = yield* make
      const editor = yield* start(place)
      const session = yield* Editor.open(editor, place.cwd)
      const done = (text: string) => Effect.map(session.turn(text), ({ said }) => said)
      const failed = (text: string) => Effect.map(Effect.flip(session.prompt(text)), ({ message }) => message)

      expect(yield* done("/stream 5000")).toBe(chunks(1, 5000))
      expect(yield* done("/think")).toBe("I have thought about it: 42.")
      expect(session.thought()).toMatch(/less than fifty\. $/)
      const plan = yield* session.turn("/plan")
      expect(plan.updates.filter(({ sessionUpdate }) => sessionUpdate === "plan")).toHaveLength(4)

      const { updates } = yield* session.turn("/tools")
      const calls = updates.flatMap((update) => update.sessionUpdate === "tool_call" ? [update] : [])
      expect(calls.map(({ kind, title }) => [kind, title])).toStrictEqual([
        ["search", "Search for \"demo\""],
        ["edit", "Write holdfast-demo.txt"],
        ["read", "Read holdfast-demo.txt"],
        ["execute", "echo hello"],
        ["fetch", "Fetch the moon"]
      ])
      const ends = updates.flatMap((update) =>
        update.sessionUpdate === "tool_call_update" && /completed|failed/.test(update.status ?? "") ? [update] : []
      )
      expect(ends.map(({ status }) => status)).toStrictEqual([
        "completed",
        "completed",
        "completed",
        "completed",
        "failed"
      ])
      const path = `${place.cwd}/holdfast-demo.txt`
      expect(ends[0]?.locations).toStrictEqual([{ path, line: 1 }])
      expect(ends[1]?.content).toMatchObject([{ type: "diff", path, newText: expect.stringContaining("demo agent") }])
      // the terminal is not the editor's: what it shows is
      expect(ends[3]?.content).toMatchObject([{ type: "content", content: { type: "text", text: "```\nhello\n```" } }])

      const asking = yield* Effect.fork(done("/permission"))
      yield* Effect.flatMap(editor.asked(0), ({ answer }) => answer(select("reject_once")))
      expect(yield* Fiber.join(asking)).toMatch(/the paper plane stays here/)
      const form = yield* Effect.fork(done("/form"))
      const filled = { name: "Ann", season: "winter", copies: 2, stamp: false, colours: ["red"] }
      yield* Effect.flatMap(editor.asked(1), ({ answer }) => answer({ action: "accept", content: filled }))
      expect(yield* Fiber.join(form)).toBe(`You answered: ${JSON.stringify(filled)}`)
      const two = yield* Effect.fork(done("/two"))
      yield* Effect.flatMap(editor.asked(3), ({ answer }) => answer(select("allow_once")))
      yield* Effect.flatMap(editor.asked(2), ({ answer }) => answer(select("reject_once")))
      expect(yield* Fiber.join(two)).toBe("first: reject_once, second: allow_once")
      const url = yield* Effect.fork(done("/url"))
      const page = yield* editor.asked(4)
      expect(page.params).toMatchObject({ mode: "url", url: expect.stringContaining("https://example.com/holdfast") })
      yield* page.answer({ action: "accept" })
      expect(yield* Fiber.join(url)).toBe("I wait for the page. The page says that you were there.")

      const sleeping = yield* Effect.fork(session.prompt("/sleep 60"))
      yield* session.says("I sleep for 60 s.")
      yield* session.cancel
      expect(yield* Fiber.join(sleeping)).toStrictEqual({ stopReason: "cancelled" })
      expect((yield* done("/huge 3000000")).length).toBeGreaterThan(2_999_000)
      expect(yield* failed("/fail")).toMatch(/^the run failed: .*the demo agent fails, as asked/)
      expect(yield* failed("/crash")).toMatch(/^the run failed: the agent's process exited with code 3/)
      // and the session goes on with an agent that was started anew
      expect(yield* done("/stream 3")).toBe(chunks(1, 3))
      expect(editor.questions.every(({ withdrawn }) => !withdrawn())).toBe(true)
    })
  )

  live(
    "EL2 an editor that is killed in mid-run loses nothing and is told nothing twice when it loads the session again",
    Effect.gen(function*() {
      const place = yield* make
      const first = yield* start(place)
      const session = yield* Editor.open(first, place.cwd)
      yield* session.turn("/stream 10")
      yield* Effect.fork(Effect.ignore(session.prompt("/stream 30000")))
      yield* session.says("chunk 500 ")
      yield* first.kill
      const seen = session.said()

      const second = yield* start(place)
      const loaded = yield* Editor.load(second, session.sessionId, place.cwd)
      const whole = chunks(1, 10) + chunks(1, 30_000)
      // in a gateway the run goes on; with its own process it was lost, with what had been stored
      yield* place.gateway !== undefined
        ? loaded.says("chunk 30000 ")
        : until("the run's end", () => loaded.notices().length > 0)
      expect(loaded.heard()).toBe("/stream 10/stream 30000")
      expect(whole.startsWith(loaded.said())).toBe(true)
      if (place.gateway !== undefined) expect(loaded.said()).toBe(whole)
      else {
        expect(loaded.notices()).toStrictEqual(["the run was lost: Holdfast ended before it did"])
        // shown is stored
        expect(loaded.said().startsWith(seen)).toBe(true)
      }
      // and on it goes
      expect((yield* loaded.turn("/stream 3")).said).toBe(chunks(1, 3))
    })
  )

  live(
    "a session that was left is loaded with its modes, and nothing is left of the process",
    Effect.gen(function*() {
      const place = yield* make
      const mark = { XDG_ACP_TEST: place.cwd }
      const first = yield* start(place, { env: mark })
      const session = yield* Editor.open(first, place.cwd)
      const { sessionId } = session
      yield* first.call((agent) => agent.request(acp.methods.agent.session.setMode, { sessionId, modeId: "verbose" }))
      const { configOptions } = yield* first.call((agent) =>
        agent.request(acp.methods.agent.session.setConfigOption, { sessionId, configId: "pace", value: "instant" })
      )
      expect(configOptions).toMatchObject([{ id: "pace", currentValue: "instant" }])
      yield* session.turn("/stream 5")
      // a run that is open when the editor leaves
      yield* Effect.fork(Effect.ignore(session.prompt("/sleep 60")))
      yield* session.says("I sleep")
      expect(yield* first.leave).toStrictEqual({ code: 0, signal: null })
      expect(Program.processesWith(`XDG_ACP_TEST=${place.cwd}`)).toStrictEqual([])

      const second = yield* start(place)
      const listed = yield* second.call((agent) => agent.request(acp.methods.agent.session.list, { cwd: place.cwd }))
      expect(listed.sessions).toMatchObject([{ sessionId, cwd: place.cwd }])
      const loaded = yield* Editor.load(second, sessionId, place.cwd)
      expect(loaded.opened).toMatchObject({
        modes: { currentModeId: "verbose" },
        configOptions: [{ id: "pace", currentValue: "instant" }]
      })
      expect(loaded.said()).toMatch(/^chunk 1 chunk 2 chunk 3 chunk 4 chunk 5 (> )?/)
      yield* loaded.cancel
      expect((yield* loaded.turn("/stream 2")).said).toBe(chunks(1, 2))
    })
  )

  live(
    "SIGINT and SIGTERM end it, and an editor that is gone from the other end of stdout, too",
    Effect.gen(function*() {
      const place = yield* make
      for (const signal of ["SIGINT", "SIGTERM"] as const) {
        const editor = yield* start(place)
        const session = yield* Editor.open(editor, place.cwd)
        yield* Effect.fork(Effect.ignore(session.prompt("/sleep 60")))
        yield* session.says("I sleep")
        editor.child.kill(signal)
        expect(yield* editor.exited).toStrictEqual({ code: 0, signal: null })
      }
      const deaf = yield* start(place)
      const session = yield* Editor.open(deaf, place.cwd)
      yield* Effect.fork(Effect.ignore(session.prompt("/stream 100000")))
      yield* session.says("chunk 100 ")
      deaf.child.stdout.destroy()
      expect(yield* deaf.exited).toStrictEqual({ code: 0, signal: null })
    })
  )

  live(
    "EL3 an editor that does not read holds up nothing: the run ends, the process stays small, and then everything comes",
    Effect.gen(function*() {
      const place = yield* make
      const { child, exited } = yield* Editor.spawn({ cwd: place.cwd }, ...place.args)
      let read = ""
      child.stdout.setEncoding("utf8").on("data", (text: string) => read += text)
      const send = (id: number, method: string, params: object) =>
        Effect.sync(() => child.stdin.write(`${JSON.stringify({ jsonrpc: "2.0", id, method, params })}\n`))
      yield* send(0, "initialize", { protocolVersion: 1, clientCapabilities: {} })
      yield* until("the handshake", () => /"id":0,"result"/.test(read))
      yield* send(1, "session/new", { cwd: place.cwd, mcpServers: [] })
      yield* until("the session", () => /"id":1,"result"/.test(read))
      const sessionId = /"sessionId":"(ses_\w+)"/.exec(read)?.[1] ?? ""
      child.stdout.pause()
      yield* send(2, "session/prompt", { sessionId, prompt: [{ type: "text", text: "/stream 50000" }] })
      yield* runEnded(place, sessionId)
      const memory = /VmRSS:\s+(\d+)/.exec(NodeFs.readFileSync(`/proc/${child.pid}/status`, "utf8"))?.[1]
      expect(Number(memory)).toBeLessThan(350_000)
      // what it was told so far is what the pipe holds, and a page
      expect(read.length).toBeLessThan(1_000_000)
      child.stdout.resume()
      yield* until("the response", () => read.endsWith(`"id":2,"result":{"stopReason":"end_turn"}}\n`))
      const said = [...read.matchAll(/"text":"(chunk \d+ )"/g)].map(([, text]) => text)
      expect(said.join("")).toBe(chunks(1, 50_000))

      // and it can be left without being read to the end
      child.stdout.pause()
      yield* send(3, "session/prompt", { sessionId, prompt: [{ type: "text", text: "/stream 20000" }] })
      yield* Effect.sleep("300 millis")
      child.stdin.end()
      child.stdout.destroy()
      expect(yield* exited).toStrictEqual({ code: 0, signal: null })
    })
  )

  live(
    "a line that is no message is answered and skipped",
    Effect.gen(function*() {
      const place = yield* make
      const editor = yield* start(place)
      editor.child.stdin.write("this is not JSON {\n[]\n42\n{\"jsonrpc\":\"2.0\"}\n")
      const session = yield* Editor.open(editor, place.cwd)
      expect((yield* session.turn("/stream 2")).said).toBe(chunks(1, 2))
      const errors = editor.lines.map((line) => JSON.parse(line)).filter(({ error }) => error !== undefined)
      expect(errors.map(({ error, id }) => [id, error.code])).toStrictEqual([
        [null, -32700],
        [null, -32600],
        [null, -32600],
        [null, -32600]
      ])
    })
  )
})

describe("a session whose beginning the log has not kept", () => {
  const env = { HOLDFAST_RETENTION_MAX_EVENTS: "40" }
  const pruned: ReadonlyArray<readonly [name: string, place: Effect.Effect<Place, never, Scope.Scope>]> = [
    ["in a gateway", inGatewayWith(env)],
    ["in its own process", inOwnProcess]
  ]
  for (const [name, make] of pruned) {
    live(
      `EL6 is loaded from where it begins now, the editor is told so first, and goes on: ${name}`,
      Effect.gen(function*() {
        const place = yield* make
        const first = yield* start(place, { env })
        const session = yield* Editor.open(first, place.cwd)
        yield* session.turn("/stream 300")
        yield* session.turn("/tools")
        yield* first.leave

        const told = expect.stringMatching(/what happened before event \d+ is not kept any more/)
        const second = yield* start(place, { env })
        const loaded = yield* Editor.load(second, session.sessionId, place.cwd)
        expect(loaded.updates()[0]).toStrictEqual({ sessionUpdate: "notice", severity: "info", title: told })
        expect(loaded.notices()).toHaveLength(1)
        expect(loaded.said()).toMatch(/Five tools were called; the last one was meant to fail\.$/)
        expect(loaded.said()).not.toContain("chunk 200 ")
        expect((yield* loaded.turn("/stream 2")).said).toBe(chunks(1, 2))
        yield* second.leave

        // one that knows no notices
        const plain = yield* start(place, { env, capabilities: {} })
        const [line] = (yield* Editor.load(plain, session.sessionId, place.cwd)).updates()
        expect(line).toMatchObject({ sessionUpdate: "agent_message_chunk", content: { text: told } })
      })
    )
  }
})

describe("holdfast acp beside other clients of a gateway", () => {
  live(
    "two editors on one session, and somebody with HTTP: each sees what the others do, and one answer settles for all",
    Effect.gen(function*() {
      const place = yield* inGateway
      const { gateway } = place
      const one = yield* start(place)
      const two = yield* start(place)
      const mine = yield* Editor.open(one, place.cwd)
      const theirs = yield* Editor.load(two, mine.sessionId, place.cwd)
      const prompt = yield* Effect.fork(mine.turn("/permission"))
      const [first, second] = [yield* one.asked(), yield* two.asked()]
      yield* second.answer(select("allow_once"))
      expect((yield* Fiber.join(prompt)).said).toMatch(/in the air/)
      yield* until("it is taken back", first.withdrawn)
      yield* theirs.says("in the air")
      expect([mine.heard(), theirs.heard()]).toStrictEqual(["", "/permission"])

      // a turn that neither of them has begun, and a question that neither answers
      yield* gateway.prompt(mine.sessionId, "/two")
      const asked = [yield* one.asked(1), yield* one.asked(2), yield* two.asked(1), yield* two.asked(2)]
      const { body } = yield* gateway.request("GET", `/v1/sessions/${mine.sessionId}/elicitations`)
      for (const { id } of body.elicitations) {
        const answer = { action: "accept", content: { optionId: "reject_once" } }
        yield* gateway.request("POST", `/v1/sessions/${mine.sessionId}/elicitations/${id}`, answer)
      }
      for (const session of [mine, theirs]) yield* session.says("first: reject_once, second: reject_once")
      yield* until("all are taken back", () => asked.every(({ withdrawn }) => withdrawn()))

      // an answer of the editor settles it for the one with HTTP
      yield* gateway.prompt(mine.sessionId, "/permission")
      const last = yield* one.asked(3)
      const before =
        (yield* gateway.request("GET", `/v1/sessions/${mine.sessionId}/elicitations`)).body.elicitations[0].id
      yield* last.answer(select("reject_once"))
      yield* mine.says("stays here")
      const late = yield* gateway.request("POST", `/v1/sessions/${mine.sessionId}/elicitations/${before}`, {
        action: "cancel"
      })
      expect([late.status, late.body._tag]).toStrictEqual([409, "ElicitationAlreadySettled"])
      // a cancel from elsewhere ends the editor's prompt
      const sleeping = yield* Effect.fork(mine.prompt("/sleep 60"))
      yield* theirs.says("I sleep")
      yield* gateway.request("POST", `/v1/sessions/${mine.sessionId}/cancel`)
      expect((yield* Fiber.join(sleeping)).stopReason).toBe("cancelled")
    })
  )

  live(
    "EL5 a gateway that is killed and started again: the open run is lost, its question taken back, and the editor goes on",
    Effect.gen(function*() {
      const cwd = yield* Program.temporary
      const port = yield* Program.ownPort
      const first = yield* Program.gateway(cwd, {}, port)
      const place = { cwd, args: ["--agent", "demo", "--url", first.url] }
      const editor = yield* start(place)
      const session = yield* Editor.open(editor, cwd)
      yield* session.turn("/stream 10")
      const asking = yield* Effect.fork(Effect.flip(session.prompt("/permission")))
      const question = yield* editor.asked()
      first.process.kill("SIGKILL")
      yield* first.exited
      // prompted while nobody is there: it waits for the gateway
      const waiting = yield* Effect.fork(session.turn("/stream 20"))
      const second = yield* Program.start(["serve", "--port", String(port), "--data", cwd], {
        cwd,
        env: { HOLDFAST_DEMO_STATE: `${cwd}/.demo` }
      })
      expect((yield* Fiber.join(asking)).message).toMatch(/^the run was lost/)
      yield* until("it is taken back", question.withdrawn)
      expect((yield* Fiber.join(waiting)).stopReason).toBe("end_turn")
      expect(session.said()).toBe(chunks(1, 10) + chunks(1, 20))
      second.process.kill("SIGTERM")
      expect(yield* second.exited).toStrictEqual({ code: 0, signal: null })
      yield* editor.leave
    })
  )

  live(
    "the run goes on while the editor is away, and the question that it asked then is asked when it is back",
    Effect.gen(function*() {
      const place = yield* inGateway
      const first = yield* start(place)
      const session = yield* Editor.open(first, place.cwd)
      yield* first.leave
      yield* place.gateway.prompt(session.sessionId, "/permission")
      const second = yield* start(place)
      const loaded = yield* Editor.load(second, session.sessionId, place.cwd)
      yield* Effect.flatMap(second.asked(), ({ answer }) => answer(select("allow_once")))
      yield* loaded.says("in the air")
      expect(loaded.heard()).toBe("/permission")
    })
  )
})

describe("how holdfast acp is started", () => {
  const ends = (options: Editor.Options, ...args: ReadonlyArray<string>) =>
    Effect.gen(function*() {
      const { exited, stderr } = yield* Editor.spawn(options, ...args)
      const { code } = yield* exited
      return [code, stderr()]
    })

  live(
    "what cannot work is one line and exit code 2",
    Effect.gen(function*() {
      const place = yield* inGateway
      const { cwd, gateway } = place
      const help = "; see holdfast --help"
      expect(yield* ends({ cwd }, "--data", "d", "--url", gateway.url)).toStrictEqual([
        2,
        "holdfast: --data hosts the sessions in this process and --url in a gateway: give one of them\n"
      ])
      expect(yield* ends({ cwd }, "--agent", "nobody", "--url", gateway.url)).toStrictEqual([
        2,
        expect.stringMatching(/^holdfast: there is no agent "nobody"; there are: demo.*\n$/)
      ])
      expect(yield* ends({ cwd }, "--agent", "nobody", "--data", "new")).toStrictEqual([
        2,
        expect.stringMatching(/^holdfast: there is no agent "nobody"; there are: demo.*\n$/)
      ])
      expect(NodeFs.existsSync(`${cwd}/new`)).toBe(false)
      expect(yield* ends({ cwd }, "--url", "http://127.0.0.1:1")).toStrictEqual([
        2,
        "holdfast: no gateway answers at http://127.0.0.1:1; start one with \"holdfast serve\" or name another with --url\n"
      ])
      // the folder of the gateway itself
      expect(yield* ends({ cwd }, "--data", cwd)).toStrictEqual([
        2,
        expect.stringMatching(
          /holdfast: the data folder .* is held by .*; for several editors at once start a gateway with "holdfast serve"\n$/
        )
      ])
      expect(yield* ends({ cwd }, "--nonsense")).toStrictEqual([
        2,
        expect.stringMatching(new RegExp(`^holdfast: .*${help}\n$`))
      ])
    })
  )

  live(
    "with nothing but the agent's name it finds the gateway that runs here, and without one it hosts, each agent in a folder of its own",
    Effect.gen(function*() {
      const { cwd, gateway } = yield* inGateway
      const found = yield* Editor.start({ cwd, env: { HOLDFAST_PORT: new URL(gateway.url).port } }, "--agent", "demo")
      const session = yield* Editor.open(found, cwd)
      expect((yield* gateway.request("GET", `/v1/sessions/${session.sessionId}`)).status).toBe(200)
      yield* found.leave

      const alone = yield* Program.temporary
      const one = yield* Editor.start({ cwd: alone }, "--agent", "demo")
      const own = yield* Editor.open(one, alone)
      expect((yield* own.turn("/stream 2")).said).toBe(chunks(1, 2))
      expect(NodeFs.readdirSync(`${alone}/.holdfast/acp`)).toStrictEqual(["demo"])
      expect(one.stderr()).toMatch(/the sessions live in this process, their log in .*\.holdfast\/acp\/demo/)
      // a second editor in the same place, with the same agent
      expect(yield* ends({ cwd: alone }, "--agent", "demo")).toStrictEqual([
        2,
        expect.stringMatching(/several editors at once/)
      ])
    })
  )

  live(
    "a gateway with a token wants it",
    Effect.gen(function*() {
      const cwd = yield* Program.temporary
      const { url } = yield* Program.gateway(cwd, { HOLDFAST_TOKEN: "sesame" })
      expect(yield* ends({ cwd }, "--url", url)).toStrictEqual([
        2,
        expect.stringMatching(/give the token of .* with --token/)
      ])
      const editor = yield* Editor.start({ cwd, env: { HOLDFAST_TOKEN: "sesame" } }, "--url", url)
      const session = yield* Editor.open(editor, cwd)
      expect((yield* session.turn("/stream 2")).said).toBe(chunks(1, 2))
      const lost = yield* Effect.flip(Editor.load(editor, "ses_nowhere", cwd))
      expect([lost.code, lost.message]).toStrictEqual([-32002, expect.stringContaining("ses_nowhere")])
      const nowhere = yield* Effect.flip(Editor.open(editor, `${cwd}/no/such`))
      expect([nowhere.code, nowhere.message]).toStrictEqual([
        -32602,
        `the working folder ${cwd}/no/such is not a folder`
      ])
    })
  )
})

describe("a client that is not ours", () => {
  live(
    "the SDK's example client, as it is published with an older SDK, holds a conversation",
    Effect.gen(function*() {
      const cwd = yield* Program.temporary
      // it starts its agent with npx: this one is the program
      NodeFs.mkdirSync(`${cwd}/bin`)
      NodeFs.writeFileSync(
        `${cwd}/bin/npx`,
        `#!/bin/sh\nexec "${process.execPath}" "${Program.main}" acp --agent demo --data "${cwd}/data"\n`,
        { mode: 0o755 }
      )
      const example = fileURLToPath(
        new URL("../../../node_modules/acp-example/dist/examples/client.js", import.meta.url)
      )
      const env = {
        ...process.env,
        PATH: `${cwd}/bin:${process.env["PATH"] ?? ""}`,
        HOLDFAST_DEMO_PACE: "0",
        HOLDFAST_DEMO_STATE: `${cwd}/.demo`
      }
      const client = yield* Effect.acquireRelease(
        Effect.sync(() => NodeChild.spawn(process.execPath, [example], { cwd, env, stdio: "pipe" })),
        (client) => Effect.sync(() => client.kill("SIGKILL"))
      )
      let shown = ""
      for (const output of [client.stdout, client.stderr]) {
        output.setEncoding("utf8").on("data", (text) => shown += text)
      }
      yield* until("its question", () => shown.includes("Choose an option"))
      client.stdin.write("3\n")
      yield* until("its end", () => client.exitCode !== null)
      expect(shown).toMatch(/Permission requested: Sign the guest book/)
      expect(shown).toMatch(/Agent completed with: end_turn/)
      yield* Program.eventually(() => Program.processesWith(`${cwd}/data`).length === 0)
    })
  )
})

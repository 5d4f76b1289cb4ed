/** The commands that need a running gateway. */
import * as NodeContext from "@effect/platform-node/NodeContext"
import { describe, expect, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Net from "node:net"
import * as AgentHost from "../../agent/agentctl/FakeHost.js"
import * as AguiServer from "../../agent/agui/server.js"
import { ownPort } from "../../program.js"
import * as Program from "../program.js"

const live = (name: string, test: Effect.Effect<void, unknown, NodeContext.NodeContext | Scope.Scope>) =>
  it.scopedLive(name, () => Effect.provide(test, NodeContext.layer), 120_000)

/** A gateway in `cwd`, and how to reach it. */
const serve = Effect.fnUntraced(function*(cwd: string, port = 0) {
  const gateway = yield* Program.start({ cwd }, "serve", "--port", String(port))
  yield* gateway.says(/listening/)
  const url = gateway.stdout().trim().split(" ").at(-1) ?? ""
  const post = (path: string, body: unknown) =>
    Effect.promise(() =>
      fetch(`${url}${path}`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify(body)
      }).then((response) => response.text())
    ).pipe(Effect.map((text) => JSON.parse(text)))
  return {
    ...gateway,
    url,
    port: Number(new URL(url).port),
    command: (...args: ReadonlyArray<string>) => Program.run({ cwd, env: { HOLDFAST_URL: url } }, ...args),
    attach: (...args: ReadonlyArray<string>) => Program.start({ cwd, env: { HOLDFAST_URL: url } }, "attach", ...args),
    open: Effect.map(post("/v1/sessions", { agent: "demo", cwd, title: "A try" }), ({ id }): string => id),
    // behind the turn that may be open still
    prompt: (id: string, prompt: string) => post(`/v1/sessions/${id}/runs`, { prompt, whenBusy: "queue" }),
    stop: Effect.zipRight(gateway.signal("SIGTERM"), gateway.exit)
  }
})

describe("the commands against a gateway", () => {
  live(
    "one that a signal ends while it waits for an answer says by its exit code which it was",
    Effect.gen(function*() {
      const asked = yield* Deferred.make<void>()
      const silent = Net.createServer(() => Deferred.unsafeDone(asked, Effect.void))
      yield* Effect.acquireRelease(
        Effect.async<void>((resume) => void silent.listen(0, "127.0.0.1", () => resume(Effect.void))),
        () => Effect.sync(() => silent.close())
      )
      const address = silent.address()
      const port = typeof address === "object" && address !== null ? address.port : 0
      const cwd = yield* Program.folder
      const command = yield* Program.start({ cwd }, "sessions", "--url", `http://127.0.0.1:${port}`)
      yield* Deferred.await(asked)
      yield* command.signal("SIGTERM")
      expect((yield* command.exit).code).toBe(143)
    })
  )

  live(
    "without a gateway each says where it looked and how to start one",
    Effect.gen(function*() {
      const cwd = yield* Program.folder
      const at = ["--url", "http://127.0.0.1:1"]
      const ends = yield* Effect.forEach(
        [
          ["sessions"],
          ["attach", "ses_a"],
          ["cancel", "ses_a"],
          ["restart", "ses_a"],
          ["close", "ses_a"],
          ["answer", "ses_a", "eli_a", "accept"]
        ],
        (args) => Program.run({ cwd }, ...args, ...at),
        { concurrency: 2 }
      )
      for (const { code, stderr } of ends) {
        expect(stderr).toBe(
          "holdfast: no gateway answers at http://127.0.0.1:1; start one with \"holdfast serve\" or name another with --url\n"
        )
        expect(code).toBe(2)
      }
    })
  )

  live(
    "bad usage is one line and exit code 2",
    Effect.gen(function*() {
      const cwd = yield* Program.folder
      const ends = yield* Effect.forEach(
        [
          ["frobnicate"],
          ["cancel"],
          ["cancel", "abc"],
          ["cancel", "ses_a", "--run", "abc"],
          ["answer", "ses_a", "eli_a", "maybe"],
          ["answer", "ses_a", "eli_a", "accept", "--content", "{"],
          ["sessions", "--url", "nowhere"]
        ],
        (args) => Program.run({ cwd }, ...args),
        { concurrency: 2 }
      )
      expect(ends.map(({ stderr }) => stderr)).toEqual([
        expect.stringMatching(/^holdfast: Invalid subcommand for holdfast - use one of 'serve'.*\n$/),
        "holdfast: Missing argument <session>; see holdfast --help\n",
        "holdfast: <session> must be an id like ses_…, not \"abc\"; see holdfast --help\n",
        "holdfast: --run must be an id like run_…, not \"abc\"; see holdfast --help\n",
        "holdfast: Expected one of the following cases: accept, decline, cancel; see holdfast --help\n",
        "holdfast: --content must be a JSON object, not {\n",
        "holdfast: --url: must be an address like http://127.0.0.1:4455, not \"nowhere\"\n"
      ])
      expect(ends.map(({ code }) => code)).toEqual(ends.map(() => 2))
    })
  )

  live(
    "--version is the package's, --help lists the commands, without colour in a pipe",
    Effect.gen(function*() {
      const cwd = yield* Program.folder
      const version = yield* Program.run({ cwd }, "--version")
      expect(version.stdout.trim()).toMatch(/^\d+\.\d+\.\d+$/)
      const help = yield* Program.run({ cwd }, "--help")
      expect(help.stdout).toMatch(/- serve .*\n[^]*- demo-agent /)
      expect(help.stdout).not.toContain("\u001b")
      expect([version.code, help.code]).toEqual([0, 0])
    })
  )

  live(
    "agents lists what there is, and with --probe what each can do or why it does not start",
    Effect.gen(function*() {
      const server = yield* AguiServer.start({})
      const host = yield* AgentHost.make()
      host.supports.add("image").add("prompt_queueing")
      const token = yield* host.handshake
      const cwd = yield* Program.folder
      const { stdout: plain } = yield* Program.run({ cwd, env: { PATH: "" } }, "agents")
      expect(plain).toMatch(/^AGENT +KIND +FROM +COMMAND\ndemo \* +acp +built in +.* demo-agent\n$/)
      const env = { PATH: "", HOLDFAST_CONFIG: `${cwd}/agents.yaml` }
      yield* Effect.promise(() =>
        import("node:fs/promises").then((fs) =>
          fs.writeFile(
            env.HOLDFAST_CONFIG,
            `
agents:
  gone: { kind: acp, command: no-such-agent }
  remote: { kind: agui, url: "${server.url}", events: "${server.url}events" }
  nobody: { kind: agui, url: "http://127.0.0.1:1/" }
  host: { kind: agentctl, url: "${host.url}", token: "${token}" }
  nonce: { kind: agentctl, url: "${host.url}", nonce: used }
  wrong: { kind: agentctl, url: "${host.url}", token: wr0ng }
  dead: { kind: agentctl, url: "http://127.0.0.1:1", nonce: used }
`
          )
        )
      )
      const { code, stdout } = yield* Program.run({ cwd, env }, "agents", "--probe", "--json")
      const [gone, remote, nobody, hosted, nonce, wrong, dead, demo] = stdout.trim().split("\n").map((line) =>
        JSON.parse(line)
      )
      expect(gone).toMatchObject({ name: "gone", from: "configured", default: true, probe: { ok: false } })
      expect(gone.probe.error).toMatch(/the command "no-such-agent" is not there/)
      expect(remote).toMatchObject({
        kind: "agui",
        command: [server.url],
        probe: { ok: true, abilities: ["runs", "events"] }
      })
      expect(nobody.probe).toMatchObject({ ok: false, error: expect.stringMatching(/cannot be reached.*ECONNREFUSED/) })
      expect(hosted).toMatchObject({
        kind: "agentctl",
        probe: { ok: true, name: "fake", abilities: ["image", "steer", "shell", "processes", "git"] }
      })
      expect(host.instances.size).toBe(0)
      expect(nonce.probe).toMatchObject({ ok: true, note: expect.stringContaining("its nonce was not tried") })
      expect(wrong.probe.error).toMatch(/invalid auth token\. The configured token is not the host's/)
      expect(dead.probe.error).toMatch(/the agent host at http:\/\/127.0.0.1:1 cannot be reached: connect ECONNREFUSED/)
      expect(stdout).not.toContain("wr0ng")
      expect(demo).toMatchObject({
        name: "demo",
        probe: { ok: true, abilities: expect.arrayContaining(["load", "resume", "image"]), modes: ["plain", "verbose"] }
      })
      expect(code).toBe(0)
    })
  )

  live(
    "sessions lists them, or says that there is none",
    Effect.gen(function*() {
      const gateway = yield* serve(yield* Program.folder)
      const none = yield* gateway.command("sessions")
      expect([none.code, none.stdout, none.stderr]).toEqual([0, "", "no sessions yet\n"])
      const id = yield* gateway.open
      const { stdout } = yield* gateway.command("sessions")
      expect(stdout).toMatch(
        new RegExp(`^SESSION +AGENT +STATUS +EVENTS +AGE +TITLE\n${id}  demo   idle    \\d+ +\\d+s +A try\n$`)
      )
      const json = yield* gateway.command("sessions", "--json")
      expect(JSON.parse(json.stdout)).toMatchObject({ id, agent: "demo", status: "idle", title: "A try" })
    })
  )

  live(
    "a question is answered with answer: once, and rightly",
    Effect.gen(function*() {
      const gateway = yield* serve(yield* Program.folder)
      const id = yield* gateway.open
      yield* gateway.prompt(id, "/permission")
      const attached = yield* gateway.attach(id)
      yield* attached.says(/waits for/)
      // the hint is the command, as it is to be typed
      const [, ...words] = /holdfast (answer ses_\w+ eli_\w+) accept/.exec(attached.stderr()) ?? []
      const hint = words[0]?.split(" ") ?? []
      const wrong = yield* gateway.command(...hint, "accept")
      expect([wrong.code, wrong.stderr]).toEqual([1, expect.stringMatching(/^holdfast: optionId: .*allow_once.*\n$/)])
      const right = yield* gateway.command(...hint, "accept", "--content", "{\"optionId\":\"allow_once\"}")
      expect([right.code, right.stdout, right.stderr]).toEqual([0, "", ""])
      const late = yield* gateway.command(...hint, "accept", "--content", "{\"optionId\":\"allow_once\"}")
      expect([late.code, late.stderr]).toEqual([
        1,
        expect.stringMatching(/^holdfast: question eli_\w+ has ended: .*\n$/)
      ])
      const unknown = yield* gateway.command("answer", id, "eli_unknown", "decline")
      expect([unknown.code, unknown.stderr]).toEqual([1, expect.stringMatching(/^holdfast: .*eli_unknown.*\n$/)])
      yield* attached.says(/✔ completed/)
      expect(attached.stdout()).toContain("› /permission\n? Launch the paper plane\n  accepted: allow_once\n")
      yield* attached.signal("SIGINT")
      expect((yield* attached.exit).code).toBe(0)
    })
  )

  live(
    "EL2 attach goes on by itself when the gateway is restarted, and ends when the session is closed",
    Effect.gen(function*() {
      const cwd = yield* Program.folder
      const first = yield* serve(cwd, yield* ownPort)
      const id = yield* first.open
      const attached = yield* first.attach(id, "--json")
      yield* attached.says(/AgentConnected/)
      yield* first.stop
      yield* attached.says(/lost; trying again/)
      const second = yield* serve(cwd, first.port)
      yield* second.prompt(id, "/stream 3")
      yield* attached.says(/RunEnded/)
      const closed = yield* second.command("close", id)
      expect([closed.code, closed.stderr]).toEqual([0, ""])
      const { code, stderr, stdout } = yield* attached.exit
      const seqs = stdout.trim().split("\n").map((line) => JSON.parse(line).seq)
      expect(seqs).toEqual(seqs.map((_, index) => index + 1))
      expect(stderr).toBe(`the connection to ${first.url} was lost; trying again\n`)
      expect(code).toBe(0)
    })
  )

  live(
    "attach --prompt shows one run and exits as run does",
    Effect.gen(function*() {
      const gateway = yield* serve(yield* Program.folder)
      const id = yield* gateway.open
      const well = yield* gateway.command("attach", id, "--prompt", "/permission", "--yes")
      expect([well.code, well.stdout]).toEqual([0, expect.stringMatching(/accepted: allow_once[^]*✔ completed\n$/)])
      const badly = yield* gateway.command("attach", id, "--prompt", "/fail")
      expect([badly.code, badly.stderr]).toEqual([1, expect.stringMatching(/^holdfast: the run failed: .*\n$/)])
    })
  )

  live(
    "attach asks in a terminal, and an answer from elsewhere closes the prompt",
    Effect.gen(function*() {
      const cwd = yield* Program.folder
      const gateway = yield* serve(cwd)
      const id = yield* gateway.open
      const options = { cwd, env: { HOLDFAST_URL: gateway.url }, terminal: true }
      const attached = yield* Program.start(options, "attach", id, "--prompt", "/two")
      yield* attached.says(/2 questions wait[^]*❯[^]*Do the first thing[^]*Do the second thing/)
      const questions = yield* Effect.promise(() =>
        fetch(`${gateway.url}/v1/sessions/${id}/elicitations`).then((response) => response.text())
      ).pipe(Effect.map((text) => JSON.parse(text)))
      expect(questions.elicitations).toHaveLength(2)
      yield* gateway.command("answer", id, questions.elicitations[0].id, "decline")
      yield* attached.says(/declined[^]*Do the second thing[^]*❯[^]*Reject/)
      yield* attached.type("\r")
      const { code, stdout } = yield* attached.exit
      expect(stdout).toMatch(/second: allow_once/)
      expect(code).toBe(0)
    })
  )

  live(
    "cancel and restart do so, and what the gateway refuses is said with exit code 1",
    Effect.gen(function*() {
      const gateway = yield* serve(yield* Program.folder)
      const id = yield* gateway.open
      yield* gateway.prompt(id, "/sleep 60")
      const attached = yield* gateway.attach(id)
      yield* attached.says(/I sleep/)
      const cancelled = yield* gateway.command("cancel", id)
      expect([cancelled.code, cancelled.stderr]).toEqual([0, ""])
      yield* attached.says(/■ cancelled/)
      const { runId } = yield* gateway.prompt(id, "/sleep 60")
      yield* gateway.prompt(id, "/stream 1")
      expect((yield* gateway.command("cancel", id, "--run", "run_other")).code).toBe(0)
      expect((yield* gateway.command("cancel", id, "--run", runId)).code).toBe(0)
      // what is queued goes on: the turn alone was cancelled
      yield* attached.says(/■ cancelled[^]*■ cancelled[^]*✔ completed/)
      const restarted = yield* gateway.command("restart", id)
      expect([restarted.code, restarted.stderr]).toEqual([0, ""])
      yield* attached.says(/the agent is back/)
      const unknown = yield* gateway.command("cancel", "ses_unknown")
      expect([unknown.code, unknown.stderr]).toEqual([1, expect.stringMatching(/^holdfast: .*ses_unknown.*\n$/)])
      yield* gateway.command("close", id)
      const closed = yield* gateway.command("restart", id)
      expect([closed.code, closed.stderr]).toEqual([1, expect.stringMatching(/^holdfast: .* is closed\n$/)])
    })
  )
})

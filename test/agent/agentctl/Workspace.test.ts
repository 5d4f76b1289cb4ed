import { describe, expect } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { it, leakFreeFile } from "holdfast/testing/vitest"
import { connected, events, eventually, prompt, until, untilTurnEnded } from "./fixture.js"

leakFreeFile()

const workspace = Effect.fnUntraced(function*(options: Parameters<typeof connected>[0] = {}) {
  const all = yield* connected(options)
  const { connection, host } = all
  const there = yield* Effect.fromNullable(connection.workspace)
  // the host has let the stream in
  yield* there.shell("")
  yield* eventually(() => host.workspaceHeard.length === 1)
  return { ...all, workspace: there }
})

describe("the workspace", () => {
  it.scopedLive("tells of git, files, the shell and processes as events, in order", () =>
    Effect.gen(function*() {
      const { connection, host } = yield* workspace()
      host.workspace({ type: "git_status", git_status: { branch: "main", modified: ["a.txt"] } })
      host.workspace({ type: "git_commit", git_commit: { commit_sha: "abc", message: "one" } })
      host.workspace({ type: "git_reset", git_reset: { previous_head: "abc", current_head: "def" } })
      host.workspace({ type: "branch_switch", branch_switch: { previous_branch: "main", current_branch: "next" } })
      host.workspace({ type: "file_change", file_change: { path: "", operation: "refresh" } })
      host.workspace({ type: "shell_output", data: "$ " })
      const status = { process_id: "p1", command: "make", session_id: "ses_1" }
      host.workspace({ type: "process_status", process_status: { ...status, status: "starting" } })
      host.workspace({ type: "process_status", process_status: { ...status, status: "running" } })
      host.workspace({ type: "process_output", process_output: { process_id: "p1", stream: "stderr", data: "no" } })
      host.workspace({ type: "process_status", process_status: { ...status, status: "failed", exit_code: 4 } })
      host.workspace({ type: "hologram" })
      host.workspace({ type: "pong" })
      const signals = yield* until(connection, (signal) => JSON.stringify(signal).includes("agentctl/hologram"))
      expect(events(signals)).toMatchObject([
        { type: "GitStatusChanged", status: { branch: "main", modified: ["a.txt"] } },
        { type: "Extension", name: "agentctl/git_commit", payload: { commit_sha: "abc" } },
        { type: "Extension", name: "agentctl/git_reset", payload: { current_head: "def" } },
        { type: "Extension", name: "agentctl/branch_switch", payload: { current_branch: "next" } },
        { type: "FilesChanged", changes: [{ path: "", kind: "refresh" }] },
        { type: "ShellOutput", data: "$ " },
        { type: "ProcessStatus", processId: "p1", status: "running", command: "make" },
        { type: "ProcessOutput", processId: "p1", stream: "stderr", data: "no" },
        { type: "ProcessStatus", processId: "p1", status: "exited", exitCode: 4 },
        { type: "Warning", message: expect.stringContaining("hologram") },
        { type: "Extension", name: "agentctl/hologram" }
      ])
    }))

  it.scopedLive("takes what is typed, the size of the terminal, and commands", () =>
    Effect.gen(function*() {
      const { host, workspace: { resize, shell, start, stop } } = yield* workspace()
      yield* shell("ls\r")
      yield* resize(120, 40)
      yield* eventually(() => host.workspaceHeard.length === 3)
      expect(host.workspaceHeard.slice(1)).toMatchObject([
        { type: "shell_input", data: "ls\r" },
        { type: "shell_resize", cols: 120, rows: 40 }
      ])
      expect(yield* start({ command: "make", cwd: "sub", env: { A: "1" }, name: "build" })).toBe("proc-1")
      yield* stop("proc-1")
      expect(host.bodies.slice(-2)).toMatchObject([
        { session_id: "ses_1", command: "make", working_dir: "/project/sub", env: { A: "1" }, script_name: "build" },
        { process_id: "proc-1" }
      ])
    }))

  it.scopedLive("comes back after a cut, and tells the gap; the agent's turn goes on beside it", () =>
    Effect.gen(function*() {
      const { connection, host, network, workspace: { shell } } = yield* workspace()
      yield* network.cut
      const signals = yield* until(connection, (signal) => JSON.stringify(signal).includes("of its shell"))
      yield* shell("again\r")
      yield* eventually(() => host.workspaceHeard.length === 2)
      expect(events(signals)).toMatchObject([{ type: "Warning", kind: "gap" }])
      yield* prompt(connection, 1)
      expect((yield* untilTurnEnded(connection)).at(-1)).toMatchObject({ _tag: "TurnEnded" })
    }))

  it.scopedLive("takes a message that is not JSON for a warning, once, and goes on", () =>
    Effect.gen(function*() {
      const { connection, host } = yield* workspace()
      host.workspaceRaw("{\"type\":")
      host.workspaceRaw("[1]")
      host.workspaceRaw("{\"type\":")
      host.workspace({ type: "shell_output", data: "$ " })
      const signals = yield* until(connection, (signal) => JSON.stringify(signal).includes("ShellOutput"))
      expect(events(signals)).toMatchObject([
        { type: "Warning", message: expect.stringContaining("workspace: not JSON") },
        { type: "Warning", message: expect.stringContaining("workspace: not an object") },
        { type: "ShellOutput" }
      ])
    }))

  it.scopedLive("is said to be gone after a message over the limit, and so to who asks for it; the agent's turn goes on", () =>
    Effect.gen(function*() {
      const { connection, host, workspace: { shell } } = yield* workspace({ maxMessageBytes: 1000 })
      host.workspace({ type: "shell_output", data: "x".repeat(2000) })
      const [said] = events(yield* until(connection, ({ _tag }) => _tag === "Said"))
      expect(said).toMatchObject({
        type: "Warning",
        message: expect.stringContaining("the workspace of the agent is not there any more")
      })
      expect(yield* Effect.flip(shell("ls\r"))).toMatchObject({
        _tag: "AgentLost",
        message: expect.stringContaining("the workspace cannot be reached")
      })
      yield* prompt(connection, 1)
      expect((yield* untilTurnEnded(connection)).at(-1)).toMatchObject({ result: { _tag: "Stopped" } })
    }))
})

import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { leakFreeFile } from "holdfast/testing/vitest"
import * as CommandHook from "../../../src/agent/loop/CommandHook.js"
import * as HookRunner from "../../../src/agent/loop/HookRunner.js"
import type { HookInput } from "../../../src/agent/loop/Hooks.js"
import { RunId, SessionId } from "../../../src/domain/Ids.js"
import { eventually, processesWith } from "../../program.js"

leakFreeFile({ grace: "5 seconds" })

const input: HookInput<"PreToolUse"> = {
  point: "PreToolUse",
  sessionId: SessionId.make("ses_00000000000000000000000001"),
  runId: RunId.make("run_00000000000000000000000001"),
  agent: "clerk",
  cwd: "/",
  tool: "shell",
  callId: "call-1",
  args: { command: "rm -rf /" }
}

const sh = (script: string, options: Partial<CommandHook.Options> = {}) =>
  CommandHook.make("PreToolUse", { command: "/bin/sh", args: ["-c", script], name: "guard", ...options })

/** What the loop hears: the outcome by rule, and the warnings. */
const heard = (hook: ReturnType<typeof sh>) =>
  Effect.gen(function*() {
    const warnings: Array<string> = []
    const output = yield* HookRunner.make([hook])(yield* Effect.scope)(input, (message) =>
      Effect.sync(() => void warnings.push(message)))
    return { ...output, warnings }
  }).pipe(Effect.scoped)

describe("a command as a hook", () => {
  it.live("is given what happens on stdin, to its end, and says what it wants on stdout", () =>
    Effect.gen(function*() {
      const script = "read -r line; cat; echo '{\"decision\":\"ask\",\"args\":'\"$line\"'}'"
      expect(yield* heard(sh(script))).toEqual({ decision: "ask", args: input, warnings: [] })
    }))

  it.live("that exits with 0 and says nothing has nothing to say, also if it reads nothing", () =>
    Effect.gen(function*() {
      expect(yield* heard(sh("exit 0"))).toEqual({ warnings: [] })
    }))

  it.live("that exits with 2 blocks, with what it wrote to stderr as the reason", () =>
    Effect.gen(function*() {
      expect(yield* heard(sh("echo not here >&2; exit 2"))).toEqual({
        decision: "deny",
        reason: "not here",
        warnings: []
      })
    }))

  it.live("that writes garbage, exits with another code, is not there: it has failed, and nothing gets through", () =>
    Effect.gen(function*() {
      const failures: ReadonlyArray<readonly [CommandHook.Options | undefined, string, RegExp]> = [
        [undefined, "echo Hello", /is not what a hook may say/],
        [undefined, "echo '{\"decision\":\"maybe\"}'", /is not what a hook may say/],
        [undefined, "echo oops >&2; exit 3", /it exited with code 3: oops/],
        [undefined, "kill -9 $$", /it was ended by SIGKILL/],
        [undefined, "head -c 2000000 /dev/zero", /more than 1048576 bytes/],
        [{ command: "no-such-hook" }, "", /no-such-hook" is not there/]
      ]
      for (const [options, script, message] of failures) {
        const { decision, warnings } = yield* heard(sh(script, options))
        expect(decision).toBe("deny")
        expect(warnings).toEqual([expect.stringMatching(message)])
      }
    }))

  it.live("whose time is over is ended, and everything that it started", () =>
    Effect.gen(function*() {
      const script = "sleep 1000.5 & trap '' TERM; while :; do sleep 1000.5; done"
      const { decision, warnings } = yield* heard(sh(script, { within: "300 millis" }))
      expect(decision).toBe("deny")
      expect(warnings).toEqual([expect.stringContaining("it took longer than 300ms")])
      yield* eventually(() => processesWith("sleep\x001000.5").length === 0)
    }))

  it.live("sees of the gateway's environment what a program needs, and what it was given", () =>
    Effect.gen(function*() {
      process.env["HOLDFAST_SECRET_OF_THE_TEST"] = "s3cret"
      const script = "printf '{\"context\":\"%s\"}' \"$GIVEN-$HOLDFAST_SECRET_OF_THE_TEST\""
      const { context } = yield* heard(sh(script, { env: { GIVEN: Redacted.make("given") } }))
      expect(context).toBe("given-")
    }))
})

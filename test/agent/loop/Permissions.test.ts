import { describe, expect, it } from "@effect/vitest"
import * as Permissions from "../../../src/agent/loop/Permissions.js"

const verdict = (permissions: Permissions.Permissions, tool: string, args: unknown = {}, readOnly = false) =>
  Permissions.make(permissions)({ tool, args, readOnly })._tag

describe("permissions", () => {
  it("without a rule run what only reads, and ask for the rest", () => {
    expect(verdict({}, "read", {}, true)).toBe("Allow")
    expect(verdict({}, "write")).toBe("Ask")
    expect(verdict({ otherwise: "deny" }, "write")).toBe("Deny")
    expect(verdict({ otherwise: "allow" }, "write")).toBe("Allow")
  })

  it("take the strictest rule that fits: deny, then ask, then allow", () => {
    const all = { allow: ["*"], ask: ["sh*"], deny: ["shell"] }
    expect(verdict(all, "read")).toBe("Allow")
    expect(verdict(all, "shred")).toBe("Ask")
    expect(verdict(all, "shell", {}, true)).toBe("Deny")
  })

  it("fit arguments that are there, all of them, as text or as JSON", () => {
    const rule = { deny: [{ tool: "copy", args: { from: "/etc/*", to: "*" } }] }
    expect(verdict(rule, "copy", { from: "/etc/passwd", to: "x" })).toBe("Deny")
    expect(verdict(rule, "copy", { from: "/etc/passwd" })).toBe("Ask")
    expect(verdict(rule, "copy", "from /etc/passwd")).toBe("Ask")
    expect(verdict({ deny: [{ tool: "*", args: { force: "true" } }] }, "push", { force: true })).toBe("Deny")
    expect(verdict({ deny: [{ tool: "*", args: { to: "*evil*" } }] }, "send", { to: ["a@good", "b@evil"] })).toBe(
      "Deny"
    )
  })

  it("do not allow by a wildcard what a shell would make of it, but deny it", () => {
    const git = { allow: [{ tool: "shell", args: { command: "git *" } }] }
    expect(verdict(git, "shell", { command: "git status" })).toBe("Allow")
    for (
      const command of [
        "git status; rm -rf /",
        "git log | sh",
        "git log $(id)",
        "git log `id`",
        "git status\nid",
        "git log > x"
      ]
    ) {
      expect(verdict(git, "shell", { command })).toBe("Ask")
    }
    expect(verdict({ deny: [{ tool: "shell", args: { command: "*rm *" } }] }, "shell", { command: "id;\nrm x" })).toBe(
      "Deny"
    )
  })

  it("take a pattern as it is written, but for * and ?", () => {
    expect(verdict({ deny: ["a.c"] }, "abc")).toBe("Ask")
    expect(verdict({ deny: ["a?c"] }, "abc")).toBe("Deny")
    expect(verdict({ deny: ["a+(b)[c]"] }, "a+(b)[c]")).toBe("Deny")
  })
})

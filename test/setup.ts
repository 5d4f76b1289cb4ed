/**
 * After each test file no process that the file started may be left: no child, no grandchild, no orphan (AG1).
 *
 * Three traces lead to them: the parent (what still hangs on this process), the process group or session (what was re-parented to
 * init when its parent died), and a mark in the environment (what made a session of its own, where the environment was passed on).
 */
import * as diagnostics from "node:diagnostics_channel"
import * as fs from "node:fs"
import { setTimeout as sleep } from "node:timers/promises"
import { afterAll } from "vitest"

// XDG_: a name that agents inherit (src/agent/process/Environment.ts), so it marks the agents of a gateway that was killed, too
const worker = `${process.pid}-${Date.now()}`
process.env["XDG_HOLDFAST_TEST"] = worker

/** The children of this process, past and present; each may lead a group. */
const started = new Set<number>()
diagnostics.subscribe("child_process", (message) => {
  // the channel speaks before the process is spawned
  const child = (message as { process: { pid?: number; once: (event: "spawn", f: () => void) => void } }).process
  child.once("spawn", () => {
    if (child.pid !== undefined) started.add(child.pid)
  })
})

const read = (path: string) => {
  try {
    return fs.readFileSync(path, "utf8")
  } catch {
    return "" // gone in the meantime, or another user's
  }
}

const processes = () =>
  fs.readdirSync("/proc").filter((name) => /^\d+$/.test(name)).flatMap((name) => {
    const stat = read(`/proc/${name}/stat`)
    // the command name stands in parentheses and may hold anything
    const [state, parent, group, session] = stat.slice(stat.lastIndexOf(")") + 2).split(" ")
    const dead = state === undefined || state === "" || state === "Z" || state === "X"
    return dead ? [] : [{
      pid: Number(name),
      parent: Number(parent),
      ours: started.has(Number(group)) || started.has(Number(session)) ||
        read(`/proc/${name}/environ`).split("\0").includes(`XDG_HOLDFAST_TEST=${worker}`)
    }]
  })

const left = () => {
  const all = processes().filter(({ pid }) => pid !== process.pid)
  const found = new Map<number, string>()
  for (let before = -1; before !== found.size;) {
    before = found.size
    for (const { ours, parent, pid } of all) {
      const command = read(`/proc/${pid}/cmdline`).replaceAll("\0", " ").trim()
      if (ours || parent === process.pid || found.has(parent)) found.set(pid, command)
    }
  }
  // esbuild's service belongs to the process that compiles
  return [...found].filter(([, command]) => command !== "" && !/esbuild.* --service=/.test(command))
}

const kill = (pid: number) => {
  try {
    process.kill(pid, "SIGKILL")
  } catch {
    // gone in the meantime
  }
}

// registered first, so it runs after the file's own hooks
afterAll(async () => {
  if (process.platform !== "linux") return
  let found = left()
  // a process that was killed needs a moment to be gone
  for (let tries = 0; found.length > 0 && tries < 20; tries++) {
    await sleep(50)
    found = left()
  }
  if (found.length === 0) return
  for (const [pid] of found) kill(pid)
  throw new Error(`processes left behind:\n${found.map(([pid, command]) => `${pid}: ${command}`).join("\n")}`)
})

/** What `/proc` tells about processes. Linux only. */
import * as fs from "node:fs"

const read = (path: string) => {
  try {
    return fs.readFileSync(path, "utf8")
  } catch {
    return "" // gone in the meantime, or another user's
  }
}

export interface Process {
  readonly pid: number
  readonly parent: number
  readonly group: number
  readonly session: number
}

/** All that live; what has ended and is only not yet collected does not. */
export const all = (): ReadonlyArray<Process> =>
  fs.readdirSync("/proc").filter((name) => /^\d+$/.test(name)).flatMap((name) => {
    const stat = read(`/proc/${name}/stat`)
    // the command's name stands in parentheses and may hold anything
    const [state = "", parent, group, session] = stat.slice(stat.lastIndexOf(")") + 2).split(" ")
    return state === "" || /[ZX]/.test(state)
      ? []
      : [{ pid: Number(name), parent: Number(parent), group: Number(group), session: Number(session) }]
  })

export const command = (pid: number): string => read(`/proc/${pid}/cmdline`).replaceAll("\0", " ").trim()

/** The agents that a gateway runs. */
export const agentsOf = (gateway: number): ReadonlyArray<number> =>
  all().filter(({ parent, pid }) => parent === gateway && command(pid).includes("demo-agent")).map(({ pid }) => pid)

/** A variable in the environment that everything inherits that the gateway starts, even where a parent died or a group was left. */
export interface Mark {
  readonly name: string
  readonly value: string
}

/**
 * What a gateway and its agents have left: what hangs on the gateway, what is in the group or session of one of its agents, and what
 * carries the mark.
 */
export const leftOf = (gateway: number, agents: ReadonlySet<number>, mark: Mark): ReadonlyArray<Process> => {
  const living = all()
  const pids = new Set(living.map(({ pid }) => pid))
  const marked = new Set(
    living.filter(({ pid }) => read(`/proc/${pid}/environ`).split("\0").includes(`${mark.name}=${mark.value}`))
      .map(({ pid }) => pid)
  )
  // a pid is not given out again while it names a group; one that lives and has no mark is another's by now
  const ours = (leader: number) => agents.has(leader) && (marked.has(leader) || !pids.has(leader))
  return living.filter(({ group, parent, pid, session }) =>
    pid !== gateway && (parent === gateway || marked.has(pid) || ours(group) || ours(session))
  )
}

/** The open descriptors by kind, as `socket`, `pipe`, `anon_inode`, `file`. */
export const descriptors = (pid: number): Readonly<Record<string, number>> => {
  const counts: Record<string, number> = {}
  for (const name of fs.readdirSync(`/proc/${pid}/fd`)) {
    try {
      const target = fs.readlinkSync(`/proc/${pid}/fd/${name}`)
      const kind = /^(\w+):/.exec(target)?.[1] ?? "file"
      counts[kind] = (counts[kind] ?? 0) + 1
    } catch {
      // closed in the meantime
    }
  }
  return counts
}

/** Resident memory in MB; 0 if the process is gone. */
export const rss = (pid: number): number => Number(/VmRSS:\s+(\d+)/.exec(read(`/proc/${pid}/status`))?.[1] ?? 0) / 1024

/** Seconds of a processor that it has used, in a tick's precision; 0 if it is gone. */
export const seconds = (pid: number): number => {
  const stat = read(`/proc/${pid}/stat`)
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ")
  // 100 ticks a second on every Linux that there is
  return (Number(fields[11] ?? 0) + Number(fields[12] ?? 0)) / 100
}

/** Never mind if it is gone. */
export const kill = (pid: number): boolean => {
  try {
    return process.kill(pid, "SIGKILL")
  } catch {
    return false
  }
}

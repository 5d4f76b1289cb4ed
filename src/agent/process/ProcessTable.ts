/**
 * What the operating system knows about processes, read at once and without an Effect: each answer is true only for the instant.
 *
 * @since 0.1.0
 */
import * as ChildProcess from "node:child_process"
import * as fs from "node:fs"

const linux = process.platform === "linux"

/** Process groups, signals to them and their ends work the same way on these; nothing else is supported. @since 0.1.0 */
export const supported = linux || process.platform === "darwin"

const read = (path: string): string => {
  try {
    return fs.readFileSync(path, "utf8")
  } catch {
    return "" // gone in the meantime, or another user's
  }
}

/** One line of the process table. Linux only. @since 0.1.0 */
export interface Entry {
  readonly pid: number
  readonly group: number
  /** It has ended and only waits to be reaped by its parent. */
  readonly zombie: boolean
}

/** @see https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html */
const stat = (pid: number): ReadonlyArray<string> => {
  const line = read(`/proc/${pid}/stat`)
  // the command's name stands in parentheses and may hold anything, parentheses and spaces too
  return line === "" ? [] : line.slice(line.lastIndexOf(")") + 2).split(" ")
}

/** That of one process. Linux only; elsewhere none. @since 0.1.0 */
export const entry = (pid: number): Entry | undefined => {
  const [state, , group] = linux ? stat(pid) : []
  return group === undefined ? undefined : { pid, group: Number(group), zombie: state === "Z" || state === "X" }
}

/** Every process that can be seen. Linux only; elsewhere none. @since 0.1.0 */
export const entries = (): ReadonlyArray<Entry> =>
  linux
    ? fs.readdirSync("/proc").filter((name) => /^\d+$/.test(name)).flatMap((name) => entry(Number(name)) ?? [])
    : []

const bootId = read("/proc/sys/kernel/random/boot_id").trim()

/**
 * When a process started, in a form that only serves to be compared: with the pid it names one process for ever, where the pid
 * alone is given out again. `undefined` if there is no such process, or only its zombie.
 *
 * @since 0.1.0
 */
export const startedAt = (pid: number): string | undefined => {
  if (linux) {
    const fields = stat(pid)
    const ticks = fields[19]
    // ticks count from the boot: two boots may give the same pid and ticks
    return ticks === undefined || fields[0] === "Z" ? undefined : `${bootId}/${ticks}`
  }
  const ps = ChildProcess.spawnSync("ps", ["-o", "lstart=", "-p", String(pid)], { encoding: "utf8", timeout: 2000 })
  return ps.status === 0 && ps.stdout.trim() !== "" ? ps.stdout.trim() : undefined
}

/** The value that a variable had when the process started. Linux only. @since 0.1.0 */
export const environmentOf = (pid: number, variable: string): string | undefined => {
  const prefix = `${variable}=`
  return linux
    ? read(`/proc/${pid}/environ`).split("\0").find((entry) => entry.startsWith(prefix))?.slice(prefix.length)
    : undefined
}

/**
 * The processes that this one started, and theirs.
 *
 * On Linux three traces lead to them: the parent; the group or session of a child, which an orphan keeps when its parent has died;
 * and a mark in the environment, which what is spawned inherits. Elsewhere only Node's own children are seen.
 *
 * @since 0.1.0
 */
import { ChildProcess } from "node:child_process"
import * as Diagnostics from "node:diagnostics_channel"
import * as Fs from "node:fs"
import { isMainThread, threadId } from "node:worker_threads"
import type { Found } from "./Leak.js"
import * as Origin from "./Origin.js"
import * as RealTime from "./RealTime.js"

interface Spawned {
  readonly child: ChildProcess
  readonly origin: Origin.Origin
}

const spawned = new Set<Spawned>()

const onSpawn = (message: unknown) => {
  if (typeof message !== "object" || message === null || !("process" in message)) return
  if (message.process instanceof ChildProcess) spawned.add({ child: message.process, origin: Origin.capture(onSpawn) })
}

const name = "LEAK_CHECK"
const mark = `${process.pid}.${threadId}`
let watching = false

/** From here on, for as long as the process runs: children carry the mark, and the lines that spawn them are known. */
export const watch = (): void => {
  process.env[name] = mark
  if (watching) return
  watching = true
  Diagnostics.subscribe("child_process", onSpawn)
}

const isRunning = ({ exitCode, pid, signalCode }: ChildProcess) =>
  pid !== undefined && exitCode === null && signalCode === null

/** A standard stream of a child that has not ended. */
export const isStreamOfChild = (owner: object | undefined): boolean => {
  for (const { child } of spawned) {
    if (isRunning(child) && child.stdio.some((stream) => stream === owner && owner !== undefined)) return true
  }
  return false
}

interface Row {
  readonly pid: number
  readonly parent: number
  readonly group: number
  readonly session: number
  /** The id alone is used again. */
  readonly key: string
  /** Milliseconds. */
  readonly age: number
}

const read = (path: string): string => {
  try {
    return Fs.readFileSync(path, "utf8")
  } catch {
    return "" // gone in the meantime, or another user's
  }
}

/** In what `/proc` counts: what the kernel tells to user space, on every platform of today. */
const ticksPerSecond = 100

const readRow = (pid: number, uptime: number): Row | undefined => {
  const stat = read(`/proc/${pid}/stat`)
  // the command stands in parentheses and may hold anything
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ")
  const [state, parent, group, session] = fields
  if (state === undefined || state === "") return undefined
  const started = fields[19] ?? ""
  return {
    pid,
    parent: Number(parent),
    group: Number(group),
    session: Number(session),
    key: `${pid}:${started}`,
    age: Math.max(0, uptime - Number(started) / ticksPerSecond) * 1000
  }
}

/** Ids, as they are listed, of processes that were looked at and are not ours: none becomes ours later. */
let strangers: ReadonlySet<string> = new Set()

/** Keys of processes that are ours: a trace that was seen once may be gone the next time. */
let kin: ReadonlySet<string> = new Set()

/** In milliseconds. Between `fork` and `exec` a process may have no environment yet, or that of its parent. */
const young = 1000

const isProcess = (entry: string) => entry.charCodeAt(0) <= 57 && entry !== self

const self = String(process.pid)

/** Those of us in the table, by id. Mostly nothing has come since the last time, and then it costs no more than a listing. */
const scan = (): ReadonlyMap<number, Row> => {
  const others = new Set<string>()
  const unknown: Array<string> = []
  for (const entry of Fs.readdirSync("/proc")) {
    if (strangers.has(entry)) others.add(entry)
    else if (isProcess(entry)) unknown.push(entry)
  }
  strangers = others
  const ours = new Map<number, Row>()
  if (unknown.length === 0) return ours
  const uptime = Number(read("/proc/uptime").split(" ")[0])
  const candidates = unknown.flatMap((entry) => readRow(Number(entry), uptime) ?? [])
  const pids = new Set(Array.from(spawned, ({ child }) => child.pid))
  const isOurs = ({ group, key, parent, pid, session }: Row) =>
    // threads share the process, and the children of other test files with it
    (isMainThread && parent === process.pid) || pids.has(pid) || pids.has(group) || pids.has(session) ||
    ours.has(parent) || kin.has(key)
  for (const row of candidates) {
    const environment = isOurs(row) ? undefined : read(`/proc/${row.pid}/environ`)
    if (environment === undefined || environment.split("\0").includes(`${name}=${mark}`)) ours.set(row.pid, row)
    // what is spawned by others is not looked at again, or a busy machine would make every test slow
    else if (row.age > young || (environment !== "" && row.parent !== process.pid)) others.add(String(row.pid))
  }
  // a process may be listed before its parent
  for (let before = -1; before !== ours.size;) {
    before = ours.size
    for (const row of candidates) if (isOurs(row)) ours.set(row.pid, row)
  }
  for (const pid of ours.keys()) others.delete(String(pid))
  kin = new Set(Array.from(ours.values(), ({ key }) => key))
  return ours
}

/** The child of ours that leads to a process. */
const ancestor = (process: Row, ours: ReadonlyMap<number, Row>): Spawned | undefined => {
  const byPid = new Map(Array.from(spawned, (each) => [each.child.pid, each]))
  const seen = new Set<number>()
  for (let at: Row | undefined = process; at !== undefined && !seen.has(at.pid); at = ours.get(at.parent)) {
    seen.add(at.pid)
    const found: Spawned | undefined = byPid.get(at.pid) ?? byPid.get(at.group) ?? byPid.get(at.session)
    if (found !== undefined) return found
  }
  return undefined
}

const command = (pid: number): string => read(`/proc/${pid}/cmdline`).replaceAll("\0", " ").trim()

/** Belongs to the tools that compile, and is ended with them. */
const isCompiler = (line: string) => /esbuild.* --service=/.test(line)

const found = (
  identity: string,
  what: string,
  age: number,
  origin: Origin.Origin | undefined,
  details: ReadonlyArray<readonly [string, string]>
): Found => ({
  identity,
  leak: {
    kind: "process",
    what,
    age,
    spans: origin === undefined ? [] : origin.spans(),
    stack: origin === undefined ? [] : origin.stack(),
    details: [...details, ...origin === undefined ? [] : Origin.describe(origin)]
  }
})

const fromTable = (before: ReadonlySet<string>): ReadonlyArray<Found> => {
  const ours = scan()
  return Array.from(ours.values()).filter(({ key }) => !before.has(key)).flatMap((row) => {
    const line = command(row.pid)
    // one that is dead and not yet reaped has no command
    if (line === "" || isCompiler(line)) return []
    const by = ancestor(row, ours)
    const orphaned = !ours.has(row.parent) && row.parent !== process.pid
    return [found(
      row.key,
      `${row.pid}: ${line}`,
      row.age,
      by?.origin,
      by?.child.pid === row.pid
        ? []
        : [["parent", orphaned ? `${row.parent} (the one that started it has ended)` : String(row.parent)]]
    )]
  })
}

const keyOf = ({ child, origin }: Spawned) => `${child.pid}:${origin.at}`

const fromNode = (before: ReadonlySet<string>): ReadonlyArray<Found> =>
  Array.from(spawned).filter((each) => isRunning(each.child) && !before.has(keyOf(each))).map((each) =>
    found(
      keyOf(each),
      `${each.child.pid}: ${each.child.spawnargs.join(" ")}`,
      RealTime.now() - each.origin.at,
      each.origin,
      []
    )
  )

const isLinux = process.platform === "linux"

/** The keys of what runs now. */
export const running = (): ReadonlySet<string> =>
  new Set(
    isLinux
      ? Array.from(scan().values(), ({ key }) => key)
      : Array.from(spawned).filter(({ child }) => isRunning(child)).map(keyOf)
  )

/** What runs now and did not before. */
export const alive: (before: ReadonlySet<string>) => ReadonlyArray<Found> = isLinux ? fromTable : fromNode

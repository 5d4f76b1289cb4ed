/**
 * Remembers the agents that run, so that those which a killed gateway left behind are found at the next start and ended.
 *
 * A record is a small file: the agent's pid, which is its group's id too, with the time at which it started, so that a pid that was
 * given out again is never taken for it. Every agent also carries a mark in its environment, which its children inherit. On Linux a
 * look at all processes for that mark finds what has no record (the gateway died between the spawn and the record), what outlived
 * its leader, and what made a group of its own. Where environments cannot be read (macOS) only groups whose leader still runs are ended.
 *
 * ```ts
 * AcpAgent.layer(agents).pipe(Layer.provide(ProcessLedger.layerFolder(".holdfast/agents")))
 * ```
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import { createHash } from "node:crypto"
import * as fs from "node:fs"
import * as path from "node:path"
import * as Concurrently from "../../lifecycle/Concurrently.js"
import * as Folder from "../../log/Folder.js"
import * as ProcessGroup from "./ProcessGroup.js"
import * as ProcessTable from "./ProcessTable.js"

/** @since 0.1.0 */
export class ProcessLedger extends Context.Tag("holdfast/ProcessLedger")<ProcessLedger, {
  /** Goes into the environment of every process that is recorded. */
  readonly mark: Readonly<Record<string, string>>
  /** Synchronous, so that hardly an instant lies between the spawn and the record. A record that cannot be written is a warning. */
  readonly record: (pid: number) => Effect.Effect<void>
  /** The whole group is gone. */
  readonly forget: (pid: number) => Effect.Effect<void>
}>() {}

/** For hosts that keep no ledger: nothing is recorded, and nothing found again. @since 0.1.0 */
export const none: ProcessLedger["Type"] = { mark: {}, record: () => Effect.void, forget: () => Effect.void }

/** The folder of records cannot be made or read. @since 0.1.0 */
export class ProcessLedgerUnusable extends Schema.TaggedError<ProcessLedgerUnusable>()("ProcessLedgerUnusable", {
  folder: Schema.String,
  message: Schema.String
}) {}

const unusable = (folder: string) => (cause: unknown) =>
  new ProcessLedgerUnusable({
    folder,
    message: `the folder ${folder} for the records of agents cannot be used: ${String(cause)}`
  })

const variable = "HOLDFAST_AGENT_OF"

const Instance = Schema.Struct({ pid: Schema.Int, startedAt: Schema.String })
const Record = Schema.parseJson(Schema.Struct({ agent: Instance, holder: Instance }))
const decodeRecord = Schema.decodeUnknownOption(Record)
const encodeRecord = Schema.encodeSync(Record)

const runs = (instance: typeof Instance.Type) => ProcessTable.startedAt(instance.pid) === instance.startedAt

/** The mark is `<ledger>:<holder's pid>:<holder's start>`. */
const holderOf = (mark: string | undefined, ledger: string): typeof Instance.Type | undefined => {
  const parts = mark === undefined ? null : /^([0-9a-f]+):(\d+):(.+)$/.exec(mark)
  return parts?.[1] === ledger && parts[3] !== undefined ? { pid: Number(parts[2]), startedAt: parts[3] } : undefined
}

/** The groups that have a member which the ledger marked and whose holder is dead. */
const markedGroups = (ledger: string): ReadonlyArray<number> =>
  ProcessTable.entries().flatMap(({ group, pid, zombie }) => {
    const holder = zombie ? undefined : holderOf(ProcessTable.environmentOf(pid, variable), ledger)
    return holder === undefined || runs(holder) ? [] : [group]
  })

/** Reads the records, and removes those that name no agent any more. */
const recordedGroups = (folder: string): ReadonlyArray<readonly [group: number, file: string]> =>
  fs.readdirSync(folder).filter((name) => name.endsWith(".json")).flatMap((name) => {
    const file = path.join(folder, name)
    const record = decodeRecord(fs.readFileSync(file, "utf8"))
    // another gateway lives and looks after its own
    if (record._tag === "Some" && runs(record.value.holder)) return []
    if (record._tag === "Some" && runs(record.value.agent)) return [[record.value.agent.pid, file]]
    fs.rmSync(file, { force: true })
    return []
  })

const ownGroup = () => ProcessTable.entries().find((entry) => entry.pid === process.pid)?.group

const reap = Effect.fnUntraced(function*(folder: string, ledger: string, grace: ProcessGroup.Grace) {
  const recorded = new Map(
    yield* Effect.try({ try: () => recordedGroups(folder), catch: unusable(folder) })
  )
  const groups = new Set([...recorded.keys(), ...markedGroups(ledger)])
  // a gateway that was started from within an agent's shell carries the mark itself
  groups.delete(ownGroup() ?? process.pid)
  yield* Concurrently.forEach([...groups], groups.size, (group) =>
    Effect.gen(function*() {
      const gone = yield* ProcessGroup.end(group, grace)
      const file = recorded.get(group)
      if (gone && file !== undefined) fs.rmSync(file, { force: true })
      yield* Effect.logWarning(
        gone
          ? "ended an agent that an earlier gateway left behind"
          : "an agent that an earlier gateway left behind does not end, not even by SIGKILL"
      ).pipe(Effect.annotateLogs({ processGroup: group }))
    }))
})

/**
 * Ends what an earlier gateway left behind in this folder, then records there.
 *
 * @since 0.1.0
 */
export const make = (
  folder: string,
  grace: ProcessGroup.Grace = { term: Duration.seconds(2), kill: Duration.seconds(2) }
): Effect.Effect<ProcessLedger["Type"], ProcessLedgerUnusable> =>
  Effect.gen(function*() {
    const real = yield* Effect.try({
      try: () => {
        Folder.make(folder, 0o700)
        return fs.realpathSync(folder)
      },
      catch: unusable(folder)
    })
    const ledger = createHash("sha256").update(real).digest("hex").slice(0, 32)
    const holder = { pid: process.pid, startedAt: ProcessTable.startedAt(process.pid) ?? "" }
    const fileOf = (pid: number) => path.join(real, `${pid}.json`)
    yield* reap(real, ledger, grace)

    return ProcessLedger.of({
      mark: { [variable]: `${ledger}:${holder.pid}:${holder.startedAt}` },
      record: (pid) =>
        Effect.try(() => {
          const agent = { pid, startedAt: ProcessTable.startedAt(pid) ?? "" }
          fs.writeFileSync(fileOf(pid), encodeRecord({ agent, holder }), { mode: 0o600 })
        }).pipe(Effect.catchAll((error) => Effect.logWarning("the record of an agent could not be written", error))),
      forget: (pid) => Effect.ignore(Effect.try(() => fs.rmSync(fileOf(pid), { force: true })))
    })
  })

/** @since 0.1.0 */
export const layerFolder = (
  folder: string,
  grace?: ProcessGroup.Grace
): Layer.Layer<ProcessLedger, ProcessLedgerUnusable> => Layer.effect(ProcessLedger, make(folder, grace))

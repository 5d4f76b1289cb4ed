/**
 * Sessions in this process: the Layers that `serve` and `run` share.
 *
 * @since 0.1.0
 */
import type * as FileSystem from "@effect/platform/FileSystem"
import type * as HttpClient from "@effect/platform/HttpClient"
import type * as Path from "@effect/platform/Path"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type { Agents } from "../agent/Agent.js"
import * as ProcessLedger from "../agent/process/ProcessLedger.js"
import type * as RestartCoalescer from "../lifecycle/RestartCoalescer.js"
import * as DataFolder from "../log/DataFolder.js"
import * as EventLog from "../log/EventLog.js"
import * as Sessions from "../session/Sessions.js"
import * as AgentSet from "./AgentSet.js"
import { CliError, ExitCode } from "./CliError.js"
import type * as Config from "./Config.js"
import * as LastResort from "./LastResort.js"
import type { Program } from "./Program.js"

const seconds = (count: number | undefined) => count === undefined ? undefined : Duration.seconds(count)

const inMemory = Layer.merge(
  EventLog.layerMemory,
  Layer.succeed(ProcessLedger.ProcessLedger, ProcessLedger.none)
)

const inFolder = (folder: string, { retention }: Config.Settings) =>
  Layer.unwrapEffect(Effect.map(DataFolder.DataFolder, ({ agents, database }) =>
    Layer.merge(
      EventLog.layerSqlite({ filename: database, retention }),
      ProcessLedger.layerFolder(agents)
    ))).pipe(
      Layer.provide(DataFolder.layer(folder)),
      Layer.catchAll(({ _tag, message }) =>
        Layer.fail(new CliError({ exitCode: ExitCode.unusable, lines: [message], reported: { _tag, message } }))
      )
    )

const questions = ({ deadline, unattendedAfter, unattendedThen }: Config.Settings["questions"] = {}) => ({
  deadline: seconds(deadline),
  unattended: unattendedAfter === undefined
    ? undefined
    : { after: Duration.seconds(unattendedAfter), then: unattendedThen ?? "cancel" } as const
})

const restarts = ({ coolDown, max, settle, within }: Config.Settings["restarts"] = {}): RestartCoalescer.Policy => ({
  settle: seconds(settle),
  intensity: { max, within: seconds(within) },
  coolDown: seconds(coolDown)
})

/**
 * Without a `data` folder everything is in memory, and gone at the end.
 *
 * @since 0.1.0
 */
export const layer = (loaded: Config.Loaded, options: {
  readonly data: Option.Option<string>
  readonly cancelGrace?: Duration.DurationInput
}): Layer.Layer<
  Sessions.Sessions | Agents,
  CliError,
  Program | FileSystem.FileSystem | Path.Path | HttpClient.HttpClient
> => {
  const { settings } = loaded
  const sessions = Sessions.layerWith({
    roots: settings.roots,
    maxSessions: settings.limits?.sessions,
    maxQueued: settings.limits?.queuedPrompts,
    maxPromptLength: settings.limits?.promptLength,
    maxPending: settings.limits?.pendingQuestions,
    ...questions(settings.questions),
    restarts: restarts(settings.restarts),
    idle: settings.idle === false ? undefined : settings.idle ?? { after: "30 minutes" },
    cancelGrace: options.cancelGrace
  })
  // closed from the top: sessions end their agents, while the log is still there to tell and the ledger to forget
  return sessions.pipe(
    Layer.provideMerge(AgentSet.layer(loaded, options.data)),
    Layer.provide(LastResort.layer),
    Layer.provide(Option.match(options.data, {
      onNone: () => inMemory,
      onSome: (folder) => inFolder(folder, settings)
    }))
  )
}

/** What the tests of drivers over real processes share. */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { fileURLToPath } from "node:url"
import type { AcpAgentOptions } from "../../src/agent/acp/AcpAgent.js"
import * as AcpAgent from "../../src/agent/acp/AcpAgent.js"
import type { AgentConnection, AgentSignal } from "../../src/agent/Agent.js"
import * as Content from "../../src/domain/Content.js"
import { RunId, SessionId } from "../../src/domain/Ids.js"

export const fixture = fileURLToPath(new URL("./fixtures/agent.mjs", import.meta.url))
export const runId = Schema.decodeSync(RunId)("run_1")
export const sessionId = Schema.decodeSync(SessionId)("ses_1")

/** A folder of its own, with every link in its path followed. */
export const folder = Effect.acquireRelease(
  Effect.sync(() => fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), "holdfast-")))),
  (dir) => Effect.sync(() => fs.rmSync(dir, { recursive: true, force: true }))
)

export interface Fixture {
  /** What the fixture agent does from its start. */
  readonly script?: object
  readonly options?: Partial<AcpAgentOptions>
  readonly cwd?: string
  readonly resume?: string
}

export const makeAgent = ({ options, script }: Fixture = {}) =>
  AcpAgent.make("fixture", {
    command: process.execPath,
    args: [fixture, JSON.stringify(script ?? {})],
    ...options
  })

export const connect = (fixture: Fixture = {}) =>
  Effect.gen(function*() {
    const agent = yield* makeAgent(fixture)
    const cwd = fixture.cwd ?? (yield* folder)
    return yield* agent.connect({ sessionId, cwd, resume: Option.fromNullable(fixture.resume) })
  })

export const say = (connection: AgentConnection, text: string) => connection.prompt(runId, [Content.text(text)])

/** Takes signals until one fits, that one included. */
export const until = (connection: AgentConnection, fits: (signal: AgentSignal) => boolean) =>
  Effect.gen(function*() {
    const signals: Array<AgentSignal> = []
    while (true) {
      const signal = yield* connection.signals.take
      signals.push(signal)
      if (fits(signal)) return signals
    }
  }).pipe(
    Effect.timeout("60 seconds")
  )

export const untilTurnEnded = (connection: AgentConnection) =>
  until(connection, (signal) => signal._tag === "TurnEnded")

/** The whole turn of one prompt. */
export const turn = (connection: AgentConnection, text: string) =>
  Effect.zipRight(say(connection, text), untilTurnEnded(connection))

export const texts = (signals: ReadonlyArray<AgentSignal>): ReadonlyArray<string> =>
  signals.flatMap((signal) => signal._tag === "Said" && signal.event.type === "TextChunk" ? [signal.event.text] : [])

export const events = (signals: ReadonlyArray<AgentSignal>) =>
  signals.flatMap((signal) => signal._tag === "Said" ? [signal.event] : [])

/** What the fixture agent reports about the answers that it got. */
export const reports = (signals: ReadonlyArray<AgentSignal>): ReadonlyArray<unknown> =>
  texts(signals).map((text) => JSON.parse(text))

export const isAlive = (pid: number): boolean => {
  try {
    const stat = fs.readFileSync(`/proc/${pid}/stat`, "utf8")
    return !/\) [ZX] /.test(stat)
  } catch {
    return false
  }
}

/** Waits for a condition that another process makes true. */
export const eventually = (condition: () => boolean, what: string) =>
  Effect.gen(function*() {
    for (let tries = 0; !condition(); tries++) {
      if (tries === 2500) return assert.fail(`never came true: ${what}`)
      yield* Effect.sleep("10 millis")
    }
  })

/** After each test: no child of this process is left (AG1). Those of the test runner were there before. */
export const watchChildren = () => {
  const before = new Set(children())
  return () => {
    const left = children().filter((pid) => !before.has(pid))
    if (left.length > 0) throw new Error(`children left behind: ${left.join(", ")}`)
  }
}

const children = (): ReadonlyArray<number> =>
  fs.readdirSync("/proc").filter((name) => /^\d+$/.test(name)).map(Number).filter((pid) => {
    try {
      const stat = fs.readFileSync(`/proc/${pid}/stat`, "utf8")
      return Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]) === process.pid
    } catch {
      return false
    }
  })

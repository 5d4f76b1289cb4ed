/** What is to hold against the real host: each case opens a session of its own through Holdfast. */
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Predicate from "effect/Predicate"
import * as fs from "node:fs"
import * as path from "node:path"
import { type Client, type Event, type Session } from "./Client.js"
import * as Mcp from "./Mcp.js"

export interface Case {
  readonly name: string
  /** What was seen, in a few words; it fails, or dies by an assertion, with what was seen instead. */
  readonly run: (client: Client) => Effect.Effect<string, unknown>
}

class Unmet extends Data.TaggedError("Unmet")<{ readonly message: string }> {}

const check = (holds: boolean, message: string): Effect.Effect<void, Unmet> =>
  holds ? Effect.void : new Unmet({ message })

const textOf = (events: ReadonlyArray<Event>) =>
  events.map((event) => event.type === "TextChunk" ? event.text : "").join("")
const ofType = <T extends Event["type"]>(events: ReadonlyArray<Event>, type: T) =>
  events.filter((event): event is Extract<Event, { type: T }> => event.type === type)
const outcomeOf = (events: ReadonlyArray<Event>) => ofType(events, "RunEnded")[0]?.outcome

const completed = (events: ReadonlyArray<Event>) => {
  const outcome = outcomeOf(events)
  return check(outcome?._tag === "Completed", `the run ended as ${JSON.stringify(outcome)}`)
}

const numbers = (text: string) => [...text.matchAll(/chunk (\d+) /g)].map(([, number]) => Number(number))
const inOrder = (found: ReadonlyArray<number>) =>
  found.every((number, index) => index === 0 || number > (found[index - 1] ?? 0))

const turn = (
  name: string,
  prompt: string,
  seen: (events: ReadonlyArray<Event>) => Effect.Effect<string, Unmet>
): Case => ({
  name,
  run: (client) =>
    Effect.gen(function*() {
      const session = yield* client.open
      const events = yield* session.turn(prompt)
      yield* completed(events)
      return yield* seen(events)
    })
})

const withQuestion = (name: string, prompt: string, optionId: string, says: RegExp): Case => ({
  name,
  run: (client) =>
    Effect.gen(function*() {
      const session = yield* client.open
      const run = yield* session.prompt(prompt)
      yield* session.answer({ action: "accept", content: { optionId } })
      const events = yield* session.finish(run)
      yield* completed(events)
      yield* check(says.test(textOf(events)), `it said ${textOf(events)}`)
      return textOf(events).trim().slice(0, 60)
    })
})

const restarted = (session: Session) =>
  Effect.gen(function*() {
    const connected = yield* session.seen("AgentConnected", 2)
    const how = connected[1]?.type === "AgentConnected" ? connected[1].how : undefined
    yield* check(how === "resumed", `it came back as ${how}`)
    const events = yield* session.turn("/stream 3")
    yield* completed(events)
  })

/** What the other agent tells of itself. */
const given = (events: ReadonlyArray<Event>): {
  readonly pid: number
  readonly session: string
  readonly servers: ReadonlyArray<{ name: string; command?: string; env?: unknown; headers?: unknown }>
} => JSON.parse(textOf(events))

const same = (before: ReadonlyArray<string>, after: ReadonlyArray<string>) =>
  check(before.length === 1 && before[0] === after[0] && after.length === 1, `${before.join()} became ${after.join()}`)

const currentOf = (event: Extract<Event, { type: "ConfigChanged" }>, id: string): unknown => {
  const option = event.options.find((option) => Predicate.isRecord(option) && option["id"] === id)
  return Predicate.isRecord(option) ? option["currentValue"] : undefined
}

const exited = (session: Session, id: string, code?: number) =>
  session.seenWhere((event) =>
    event.type === "ProcessStatus" && event.processId === id && event.status === "exited" &&
    (code === undefined || event.exitCode === code)
  )

export const cases: ReadonlyArray<Case> = [
  turn("streaming: 2,000 chunks in order", "/stream 2000", (events) => {
    const found = numbers(textOf(events))
    return Effect.as(check(found.length === 2000 && inOrder(found), `${found.length} chunks`), `${found.length} chunks`)
  }),
  turn("thoughts", "/think", (events) => {
    const thoughts = ofType(events, "ThoughtChunk").length
    return Effect.as(check(thoughts > 0, "no thought"), `${thoughts} chunks`)
  }),
  turn("a plan", "/plan", (events) => {
    const plans = ofType(events, "PlanUpdated")
    return Effect.as(check(plans.length > 1 && plans[0]?.entries.length === 3, "no plan"), `${plans.length} states`)
  }),
  turn("tools: beginning and end, kinds, a diff, a failure", "/tools", (events) => {
    const [started, ended] = [ofType(events, "ToolCallStarted"), ofType(events, "ToolCallEnded")]
    const diff = ended.some(({ content }) => content?.some(({ type }) => type === "diff"))
    const failed = ended.filter(({ status }) => status === "failed").length
    const kinds = started.map(({ kind }) => kind).join(" ")
    return Effect.as(
      check(
        started.length === 5 && ended.length === 5 && diff && failed === 1,
        `${started.length} ${ended.length} ${diff} ${failed}`
      ),
      kinds
    )
  }),
  turn("a message of 1 MiB", "/huge 1048576", (events) => {
    const size = textOf(events).length
    return Effect.as(check(size >= 1_000_000, `${size} characters`), `${size} characters`)
  }),
  withQuestion("permission: allowed", "/permission", "allow_once", /./),
  withQuestion("permission: rejected", "/permission", "reject_once", /./),
  {
    name: "cancel: the turn ends as cancelled",
    run: (client) =>
      Effect.gen(function*() {
        const session = yield* client.open
        const run = yield* session.prompt("/sleep 60")
        yield* session.seen("TextChunk", 1)
        yield* session.cancel
        const outcome = outcomeOf(yield* session.finish(run))
        yield* check(outcome?._tag === "Cancelled", JSON.stringify(outcome))
        yield* completed(yield* session.turn("/stream 3"))
        return "and the next turn completes"
      })
  },
  {
    name: "cancel that is not acknowledged: escalated, the agent starts again",
    run: (client) =>
      Effect.gen(function*() {
        const session = yield* client.open
        const run = yield* session.prompt("/hang")
        yield* session.seen("TextChunk", 1)
        yield* session.cancel
        const outcome = outcomeOf(yield* session.finish(run))
        yield* check(outcome?._tag === "Cancelled", JSON.stringify(outcome))
        yield* restarted(session)
        return "Cancelled, then resumed"
      })
  },
  {
    name: "a turn that fails",
    run: (client) =>
      Effect.gen(function*() {
        const session = yield* client.open
        const outcome = outcomeOf(yield* session.turn("/fail"))
        yield* check(outcome?._tag === "Failed", JSON.stringify(outcome))
        return outcome?._tag === "Failed" ? outcome.error.message : ""
      })
  },
  {
    name: "an agent that crashes: the run fails, it comes back in its instance",
    run: (client) =>
      Effect.gen(function*() {
        const session = yield* client.open
        const before = yield* client.instances(session.id)
        const outcome = outcomeOf(yield* session.turn("/crash"))
        yield* check(outcome?._tag === "Failed" && outcome.error._tag === "AgentDied", JSON.stringify(outcome))
        yield* restarted(session)
        yield* same(before, yield* client.instances(session.id))
        return outcome?._tag === "Failed" ? outcome.error.message.slice(0, 60) : ""
      })
  },
  {
    name: "restart on request: another process in the same instance, session loaded",
    run: (client) =>
      Effect.gen(function*() {
        const session = yield* client.openProbe
        const before = yield* client.instances(session.id)
        const first = given(yield* session.turn("/given"))
        yield* session.restart
        yield* restarted(session)
        yield* same(before, yield* client.instances(session.id))
        const second = given(yield* session.turn("/given"))
        yield* check(first.pid !== second.pid, "it is the same process")
        yield* check(first.session === second.session, `another session: ${second.session}`)
        return "stopped, configured, started, resumed"
      })
  },
  {
    name: "restart of an agent that ignores the end of stdin and SIGTERM",
    run: (client) =>
      Effect.gen(function*() {
        const session = yield* client.open
        yield* session.turn("/stay")
        yield* session.restart
        yield* restarted(session)
        return "resumed"
      })
  },
  {
    name: "restart within a turn: the turn is cancelled, the next one is whole",
    run: (client) =>
      Effect.gen(function*() {
        const session = yield* client.open
        const run = yield* session.prompt("/sleep 60")
        yield* session.seen("TextChunk", 1)
        yield* session.restart
        const outcome = outcomeOf(yield* session.finish(run))
        yield* check(outcome?._tag === "Cancelled", JSON.stringify(outcome))
        const found = numbers(textOf(yield* session.turn("/stream 300")))
        yield* check(found.length === 300 && inOrder(found), `${found.length} chunks`)
        return "Cancelled, then 300 chunks"
      })
  },
  {
    name: "the nonce is good once: another program of ours has the token that is kept",
    run: (client) =>
      Effect.gen(function*() {
        yield* client.open
        const { name } = yield* Effect.scoped(client.another("used up"))
        return `connected to ${name}`
      })
  },
  {
    name: "mode: set, and told back once",
    run: (client) =>
      Effect.gen(function*() {
        const session = yield* client.open
        const run = yield* session.prompt("/stream 3")
        yield* session.finish(run)
        yield* session.setMode("verbose")
        yield* session.seenWhere((event) => event.type === "ModeChanged" && event.modeId === "verbose")
        const events = yield* session.turn("/stream 3")
        yield* check(ofType(events, "ModeChanged").length === 0, "told again")
        return "ModeChanged"
      })
  },
  {
    name: "model and options: set as options, and told back",
    run: (client) =>
      Effect.gen(function*() {
        const session = yield* client.openProbe
        const set = (id: string, value: string) =>
          Effect.zipRight(
            session.setConfigOption(id, value),
            session.seenWhere((event) => event.type === "ConfigChanged" && currentOf(event, id) === value)
          )
        yield* set("model", "large")
        yield* set("speed", "fast")
        return "model large, speed fast"
      })
  },
  {
    name: "reset, model and stderr, by the driver itself",
    run: (client) =>
      Effect.gen(function*() {
        const connection = yield* client.connect
        yield* connection.setModel("large")
        const next = yield* connection.reset
        yield* check(next !== connection.agentSessionId, `the session is still ${next}`)
        const lines = yield* connection.stderr
        return `a new session in the same process, ${lines.length} lines of stderr`
      })
  },
  {
    name: "MCP servers: given to the agent, and told which it cannot have",
    run: (client) =>
      Effect.gen(function*() {
        const session = yield* client.openProbe
        const { servers } = given(yield* session.turn("/given"))
        const files = servers.find(({ name }) => name === "files")
        yield* check(
          files?.command === "mcp-files" && JSON.stringify(files.env).includes("secret"),
          JSON.stringify(servers)
        )
        const search = servers.find(({ name }) => name === "search")
        yield* check(JSON.stringify(search?.headers ?? []).includes("x-key"), JSON.stringify(servers))
        const told = yield* session.seenWhere((event) =>
          event.type === "Warning" && event.message.includes("MCP server old")
        )
        return told.type === "Warning" ? told.message : ""
      })
  },
  {
    name: "a message that steers: taken into the turn, which ends once",
    run: (client) =>
      Effect.gen(function*() {
        const session = yield* client.openProbe
        const run = yield* session.prompt("/wait")
        yield* session.seen("TextChunk", 1)
        const steered = yield* session.prompt("hurry", "steer")
        yield* check(steered.runId === run.runId, "it became a run of its own")
        const events = yield* session.finish(run)
        yield* completed(events)
        yield* check(textOf(events) === "I wait.I heard hurry.", textOf(events))
        yield* completed(yield* session.turn("and on"))
        return textOf(events)
      })
  },
  {
    name: "shell: a command and its output",
    run: (client) =>
      Effect.gen(function*() {
        const session = yield* client.open
        const { resize, shell } = yield* session.workspace
        yield* resize(120, 40)
        yield* shell("echo MARK$((20+1))\r")
        yield* session.seenWhere((event) => event.type === "ShellOutput" && event.data.includes("MARK21"))
        return "MARK21"
      })
  },
  {
    name: "processes: output, errors, exit code, stop",
    run: (client) =>
      Effect.gen(function*() {
        const session = yield* client.open
        const { start, stop } = yield* session.workspace
        // it ends when its output was seen: the host may lose what a command says within its last milliseconds
        const gate = path.join(session.folder, "gate")
        const id = yield* start({
          command: "echo out; echo err >&2; while [ ! -e gate ]; do sleep 0.05; done; exit 4",
          cwd: session.folder
        })
        for (const stream of ["stdout", "stderr"]) {
          yield* session.seenWhere((event) =>
            event.type === "ProcessOutput" && event.processId === id && event.stream === stream
          )
        }
        fs.writeFileSync(gate, "")
        yield* exited(session, id, 4)
        const sleeper = yield* start({ command: "sleep 600" })
        yield* stop(sleeper)
        yield* exited(session, sleeper)
        // of this one only the end is sure
        yield* exited(session, yield* start({ command: "echo gone; exit 5" }), 5)
        return "exit 4, stopped, exit 5; the output of a command that ends at once is not asked for: the host may lose it"
      })
  },
  {
    name: "git: a change, a commit and a switch of the branch are told",
    run: (client) =>
      Effect.gen(function*() {
        const session = yield* client.open
        const { shell } = yield* session.workspace
        yield* session.seen("GitStatusChanged", 1)
        yield* shell("echo new > new.txt; git checkout -q -b feature; git add -A; git commit -qm two\r")
        yield* session.seenWhere((event) =>
          event.type === "GitStatusChanged" && JSON.stringify(event).includes("feature")
        )
        yield* session.seenWhere((event) => event.type === "Extension" && event.name === "agentctl/branch_switch")
        yield* session.seen("FilesChanged", 1)
        return "status, branch, files"
      })
  },
  {
    name: "a question of the host's MCP tool: asked, answered, told back",
    run: (client) =>
      Effect.gen(function*() {
        const session = yield* client.open
        const result = yield* Effect.fork(Mcp.ask(client.instanceUrl()))
        yield* session.answer({ action: "accept", content: { q1: "q1_opt2" } })
        const text = yield* Effect.fromFiber(result)
        yield* check(text.includes("q1_opt2"), text)
        return "q1_opt2"
      })
  },
  {
    name: "other requests of the host are refused, and not with silence",
    run: (client) =>
      Effect.gen(function*() {
        yield* client.open
        const text = yield* Mcp.call(client.instanceUrl(), "list_tasks_kandev", { workflow_id: "w" })
        const refusal = /Holdfast does not offer [\w.]+/.exec(text)?.[0]
        yield* check(refusal !== undefined, text)
        return refusal ?? ""
      })
  },
  {
    name: "the socket cut within a turn: it goes on, and the gap is told",
    run: (client) =>
      Effect.gen(function*() {
        const session = yield* client.open
        const run = yield* session.prompt("/sleep 2")
        yield* session.seen("TextChunk", 1)
        yield* client.cut
        const events = yield* session.finish(run)
        yield* completed(events)
        yield* check(events.some((event) => event.type === "Warning" && event.kind === "gap"), "no gap was told")
        return "Completed, with a gap"
      })
  },
  {
    name: "the socket cut while a permission is open: it can be answered",
    run: (client) =>
      Effect.gen(function*() {
        const session = yield* client.open
        const run = yield* session.prompt("/permission")
        yield* session.seen("ElicitationRequested", 1)
        yield* client.cut
        yield* session.answer({ action: "accept", content: { optionId: "allow_once" } })
        const events = yield* session.finish(run)
        yield* completed(events)
        return "answered after the cut"
      })
  },
  {
    name: "the socket cut 20 times during a burst: what comes comes once and in order",
    run: (client) =>
      Effect.gen(function*() {
        const session = yield* client.open
        const run = yield* session.prompt("/stream 60000")
        yield* session.seen("TextChunk", 1)
        for (let cut = 0; cut < 20; cut++) {
          yield* client.cut
          yield* Effect.sleep("60 millis")
        }
        const events = yield* session.finish(run)
        const found = numbers(textOf(events))
        const gaps = ofType(events, "Warning").filter(({ kind }) => kind === "gap").length
        yield* check(inOrder(found), "out of order, or twice")
        yield* check(gaps > 0 || found.length === 60000, `${found.length} chunks and no gap told`)
        yield* completed(events)
        // how much is lost is the host's to say, and another number in each run
        return found.length === 60_000
          ? "all 60,000"
          : "not all of 60,000: the host drops what nobody hears, and the gaps are told"
      })
  },
  {
    name: "a closed session leaves no instance on the host",
    run: (client) =>
      Effect.gen(function*() {
        const session = yield* client.open
        yield* session.close
        const left = yield* client.instances(session.id)
        yield* check(left.length === 0, left.join(", "))
        return "none"
      })
  },
  {
    name: "the host started anew: the run is Lost, the session goes on with the next",
    run: (client) =>
      Effect.gen(function*() {
        const session = yield* client.open
        const run = yield* session.prompt("/sleep 60")
        yield* session.seen("TextChunk", 1)
        yield* client.startHostAnew
        const outcome = outcomeOf(yield* session.finish(run))
        yield* check(outcome?._tag === "Lost", JSON.stringify(outcome))
        yield* restarted(session)
        return "Lost, then resumed"
      })
  },
  {
    // the last one: it ends the host
    name: "the host killed within a turn: the run is Lost, with the reason",
    run: (client) =>
      Effect.gen(function*() {
        const session = yield* client.open
        const run = yield* session.prompt("/sleep 60")
        yield* session.seen("TextChunk", 1)
        yield* client.killHost
        const outcome = outcomeOf(yield* session.finish(run))
        yield* check(outcome?._tag === "Lost", JSON.stringify(outcome))
        return outcome?._tag === "Lost" ? outcome.reason.split(":")[0] ?? "" : ""
      })
  }
]

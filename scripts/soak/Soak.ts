/**
 * A real run: sessions with agents that ask, people who answer, and everything that can go wrong in between; then everything is closed,
 * and it is looked what is left.
 */
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import * as Answerer from "./Answerer.js"
import * as Chaos from "./Chaos.js"
import * as Client from "./Client.js"
import * as Ending from "./Ending.js"
import * as Gateway from "./Gateway.js"
import { inTurn, settled, within } from "./Pace.js"
import * as Player from "./Player.js"
import * as Processes from "./Processes.js"
import * as Random from "./Random.js"
import * as World from "./World.js"

export interface Options {
  readonly sessions: number
  /** How many are answered. */
  readonly questions: number
  readonly minutes: number
  readonly seed: number
  /** Is told now and then how far it is. */
  readonly onProgress: (line: string) => void
  /** Ends the soak early; what has happened until then is judged. */
  readonly signal: AbortSignal
}

export interface Report {
  /** What was wrong. */
  readonly faults: ReadonlyArray<string>
  readonly figures: Readonly<Record<string, number | string>>
}

/** What goes wrong on purpose. */
const deedsPerSecond = 1.5

const descriptors = (pid: number) =>
  Object.entries(Processes.descriptors(pid)).toSorted().map(([kind, count]) => `${count} ${kind}`).join(", ")

/** The sessions play, the people answer, and things go wrong, until all are done or `stop` aborts. */
const play = async (options: Options, world: World.World, players: ReadonlyArray<Player.Player>, gateway: number) => {
  const millis = options.minutes * 60_000
  const actors = [
    ...players.map((player) => player.play()),
    Chaos.run(world, { gateway, players, perSecond: deedsPerSecond })
  ]
  const answers = Answerer.run(world, {
    questions: options.questions,
    // a little less than there is: then all are answered while things still go wrong
    millis: 0.95 * millis,
    sessions: players.map(({ session }) => session)
  })
  await Promise.all([answers, world.sleep(millis)])
  world.stop()
  await Promise.all(actors)
}

/** Tells how far it is, twice a second, and watches what is too slow or gone. Returns what to call when it is over. */
const watch = (options: Options, world: World.World, { gateway, left }: Ending.Stage) => {
  const { counts, fault } = world
  const start = Date.now()
  const limit = 3 * options.minutes * 60 + 60
  let peak = 0
  const look = () => {
    const seconds = (Date.now() - start) / 1000
    const rss = Processes.rss(gateway.pid)
    peak = Math.max(peak, rss)
    // for what it remembers: an agent that is killed may leave something in its group
    left()
    if (options.signal.aborted) world.stop()
    if (!world.stopping() && gateway.ended() !== undefined) {
      fault(`the gateway ended with ${gateway.ended()}`)
      world.stop()
    }
    if (!world.stopping() && seconds > limit) {
      fault(`after ${limit} s only ${counts.answered} of ${options.questions} questions were answered`)
      world.stop()
    }
    options.onProgress(
      `${seconds.toFixed(0)} s  ${counts.answered} of ${options.questions} answered ` +
        `(${(counts.answered / seconds).toFixed(1)}/s)  ${world.open.size} open  ${counts.runs} runs  ` +
        `${counts.killed} killed  ${counts.restarts} restarts  gateway ${
          rss.toFixed(0)
        } MB  ${world.faults.length} wrong`
    )
  }
  const timer = setInterval(look, 500)
  return () => {
    clearInterval(timer)
    return { peak, seconds: (Date.now() - start) / 1000 }
  }
}

const run = async (options: Options, world: World.World, stage: Ending.Stage): Promise<Report["figures"]> => {
  const { gateway, left } = stage
  const { attempts, client, counts, fault } = world

  // one session before all others, so that what is opened once is open when it is counted
  const first = await client.call("POST", "/v1/sessions", { agent: "demo", cwd: stage.folder })
  await client.call("DELETE", `/v1/sessions/${first.body.id}`)
  const descriptorsBefore = await settled(() => descriptors(gateway.pid))
  const rssBefore = Processes.rss(gateway.pid)

  const over = watch(options, world, stage)
  // a start takes a third of a second of a processor
  const players = await inTurn(
    Array.from({ length: options.sessions }),
    4,
    (_, index) => Player.open(world, index, stage.folder)
  )
  await play(options, world, players, gateway.pid)
  const { peak, seconds } = over()
  const closed = await Ending.close(world, players, stage)

  if (!await within(5000, () => descriptors(gateway.pid) === descriptorsBefore)) {
    fault(
      `open descriptors of the gateway: ${descriptorsBefore} before there were sessions, ${
        descriptors(gateway.pid)
      } after`
    )
  }
  const rssAfter = Processes.rss(gateway.pid)
  const processor = Processes.seconds(gateway.pid)
  const stopped = Date.now()
  const exit = await gateway.stop()
  if (exit !== "exit code 0") fault(`SIGTERM ended the gateway with ${exit}`)
  const millis = Date.now() - stopped
  for (const line of left()) fault(`the gateway is gone, and this process is left: ${line}`)
  for (const line of gateway.log().split("\n").filter((line) => /level=(ERROR|FATAL)/.test(line))) {
    fault(`the gateway logged: ${line.slice(0, 600)}`)
  }
  await Ending.reopen(world, closed, stage)
  for (const line of left()) fault(`the gateway that was started again is gone, and this process is left: ${line}`)

  return {
    seed: options.seed,
    seconds: Math.round(seconds),
    sessions: players.length,
    ...counts,
    events: closed.reduce((sum, { events }) => sum + events.length, 0),
    "answers sent": attempts.length,
    "told that they came too late": attempts.filter(({ tag }) => tag === "ElicitationAlreadySettled").length,
    "descriptors before and after": descriptorsBefore,
    "gateway MB before, at most, after": [rssBefore, peak, rssAfter].map((mb) => mb.toFixed(0)).join(", "),
    "gateway, seconds of a processor": processor.toFixed(1),
    "gateway ended in ms": millis
  }
}

/** Whatever happens, nothing of it is left. Rejects when the gateway does not start. */
export const soak = async (options: Options): Promise<Report> => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "holdfast-soak-"))
  // XDG_: a name that agents inherit
  const mark = { name: "XDG_HOLDFAST_SOAK", value: path.basename(folder) }
  const agents = new Set<number>()
  let gateway: Gateway.Gateway | undefined
  const left = () => {
    for (const pid of Processes.agentsOf(gateway?.pid ?? 0)) agents.add(pid)
    return Processes.leftOf(gateway?.pid ?? 0, agents, mark)
  }
  try {
    gateway = await Gateway.start(folder, mark, "0.3")
    const world = World.make(Client.make(gateway.url), (name) => Random.make(options.seed, name))
    const stage: Ending.Stage = {
      folder,
      mark,
      gateway,
      left: () => left().map(({ pid }) => `${pid} ${Processes.command(pid)}`)
    }
    try {
      const figures = await run(options, world, stage)
      return { faults: world.faults, figures }
    } catch (error) {
      world.stop()
      const log = gateway.log().slice(-2000)
      return {
        faults: [...world.faults, `it could not go on: ${error}`, `the gateway's log ends with: ${log}`],
        figures: {}
      }
    }
  } finally {
    gateway?.kill()
    for (const { pid } of left()) Processes.kill(pid)
    fs.rmSync(folder, { recursive: true, force: true, maxRetries: 5 })
  }
}

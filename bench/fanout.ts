/**
 * One session, 50 SSE clients, 2,000 events of 100 bytes, each stored as it comes, against a bare `node:http` server that writes each
 * event to 50 responses as it comes and stores nothing. Then the same for long with ten of the clients stuck.
 */
import type { Result } from "./main.js"
import * as Client from "./support/Client.js"
import { bareFanout, fanout, gateway, type Server } from "./support/Program.js"
import * as Viewers from "./support/Viewers.js"

const clients = 50
const events = 2000
const rounds = 15
const stuck = 10
/** Some 25 MB for each client. */
const long = 100_000

interface Side {
  readonly server: Server
  readonly events: string
  readonly runs: string
  /** Frames that a client is sent at first, and those of a run beside its events. */
  readonly before: number
  readonly around: number
}

const session = async (server: Server, agent: string, before: number): Promise<Side> => {
  const { id } = await Client.call<{ id: string }>("POST", `${server.url}/v1/sessions`, { agent })
  const session = `${server.url}/v1/sessions/${id}`
  // RunStarted and RunEnded
  return { server, events: `${session}/events`, runs: `${session}/runs`, before, around: 2 }
}

// `retry`, SessionOpened, AgentConnected
const holdfast = async () => session(await fanout(), "scripted", 3)

const bare = async (): Promise<Side> => {
  const server = await bareFanout()
  return { server, events: server.url, runs: server.url, before: 1, around: 0 }
}

const view = async ({ around, before, events, runs }: Side, stuck: number) => {
  const viewers = Viewers.make()
  await viewers.open({ url: events, clients, stuck, before })
  return {
    /** In deliveries a second. */
    run: async (prompt: string, events: number) => {
      const body = JSON.stringify({ prompt })
      return events * (clients - stuck) / await viewers.round({ url: runs, body, frames: events + around })
    },
    stop: viewers.stop
  }
}

const median = (values: ReadonlyArray<number>) => values.toSorted((a, b) => a - b)[values.length >> 1] ?? NaN

const speed = async (): Promise<Result> => {
  const sides = await Promise.all([holdfast(), bare()])
  const [ours, theirs] = await Promise.all([view(sides[0], 0), view(sides[1], 0)])
  const rates: { readonly ours: Array<number>; readonly theirs: Array<number> } = { ours: [], theirs: [] }
  // in turns, so that a busy machine is busy for both; the first two of each warm up
  for (let round = -2; round < rounds; round++) {
    const rate = { theirs: await theirs.run(`${events}`, events), ours: await ours.run(`${events}`, events) }
    if (round < 0) continue
    rates.ours.push(rate.ours)
    rates.theirs.push(rate.theirs)
  }
  for (const viewers of [ours, theirs]) viewers.stop()
  for (const { server } of sides) await server.stop()
  const ratio = median(rates.ours.map((rate, round) => rate / (rates.theirs[round] ?? NaN)))
  return {
    name: "fanout: events delivered a second to 50 clients, of a bare node:http server's that stores nothing",
    ratio,
    target: ">= 1",
    ok: ratio >= 1,
    details: {
      "holdfast, deliveries/s": Math.round(median(rates.ours)),
      "bare, deliveries/s": Math.round(median(rates.theirs))
    }
  }
}

/** Of the program itself, with the demo agent: what tsx makes of the sources needs memory of its own. */
const memory = async (): Promise<Result> => {
  // `retry`, SessionOpened, AgentConnected, ModeChanged, ConfigChanged, CommandsChanged
  const side = await session(await gateway(), "demo", 6)
  const viewers = await view(side, stuck)
  for (let round = 0; round < 5; round++) await viewers.run(`/stream ${events}`, events)
  const before = side.server.rss()
  let peak = before
  const sampler = setInterval(() => peak = Math.max(peak, side.server.rss()), 20)
  const rate = await viewers.run(`/stream ${long}`, long)
  clearInterval(sampler)
  viewers.stop()
  await side.server.stop()
  return {
    name: "fanout: growth of the gateway's memory over 100,000 events with 10 of 50 clients stuck, MB",
    ratio: peak - before,
    target: "< 100",
    ok: peak - before < 100,
    details: { "before, MB": Math.round(before), "deliveries/s": Math.round(rate) }
  }
}

export default async (): Promise<ReadonlyArray<Result>> => [await speed(), await memory()]

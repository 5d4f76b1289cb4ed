/**
 * From the agent's stdout to an SSE client: 20,000 chunks through the whole of Holdfast, stored on the way, against a bare relay that
 * parses each line once with the ACP SDK and writes it to `node:http`.
 */
import type { Result } from "./main.js"
import * as Client from "./support/Client.js"
import { bareRelay, gateway, type Server } from "./support/Program.js"

const chunks = 20_000
const rounds = 5

/** A server with one session, and a viewer that follows it from the beginning. */
export interface Side {
  readonly server: Server
  /** Prompts, and waits for the end of the run and for the chunks; returns chunks a second, and the most memory on the way in MB. */
  readonly stream: (count: number) => Promise<{ readonly rate: number; readonly peak: number }>
}

const makeSide = async (server: Server, urls: { readonly prompt: string; readonly events: string }): Promise<Side> => {
  let seen = 0
  let ended = () => {}
  await Client.follow(urls.events, (data) => {
    if (data.includes("chunk ")) seen++
    else if (data.includes("\"RunEnded\"")) ended()
  })
  return {
    server,
    stream: async (count) => {
      let peak = 0
      const sampler = setInterval(() => peak = Math.max(peak, server.rss()), 20)
      seen = 0
      const end = new Promise<void>((resolve) => ended = resolve)
      const start = performance.now()
      await Client.call("POST", urls.prompt, { prompt: `/stream ${count}` })
      await end
      const seconds = (performance.now() - start) / 1000
      clearInterval(sampler)
      if (seen !== count) throw new Error(`${seen} of ${count} chunks were seen`)
      return { rate: count / seconds, peak: Math.max(peak, server.rss()) }
    }
  }
}

/** A session of the demo agent in a gateway with these variables. */
export const holdfast = async (env?: Readonly<Record<string, string>>): Promise<Side> => {
  const server = await gateway(env)
  const { id } = await Client.call<{ id: string }>("POST", `${server.url}/v1/sessions`, { agent: "demo" })
  const session = `${server.url}/v1/sessions/${id}`
  return makeSide(server, { prompt: `${session}/runs`, events: `${session}/events` })
}

const bare = async () => {
  const server = await bareRelay()
  return makeSide(server, { prompt: server.url, events: server.url })
}

export const median = (values: Array<number>) => values.sort((a, b) => a - b)[values.length >> 1] ?? NaN

export default async (): Promise<ReadonlyArray<Result>> => {
  const sides = await Promise.all([holdfast(), bare()])
  const [ours, theirs] = sides
  for (const side of sides) await side.stream(10)
  const before = ours.server.rss()
  const rates: [Array<number>, Array<number>] = [[], []]
  const peaks: Array<number> = []
  // in turns, so that a busy machine is busy for both
  for (let round = 0; round < rounds; round++) {
    const { peak, rate } = await ours.stream(chunks)
    rates[0].push(rate)
    peaks.push(peak)
    rates[1].push((await theirs.stream(chunks)).rate)
  }
  for (const side of sides) await side.server.stop()
  const [ourRate, theirRate] = [median(rates[0]), median(rates[1])]
  const ratio = ourRate / theirRate
  const growth = (peaks[0] ?? NaN) - before
  return [
    {
      name: "relay: events a second, agent to SSE client, of the bare relay's",
      ratio,
      target: ">= 0.3",
      ok: ratio >= 0.3,
      details: { "holdfast, events/s": Math.round(ourRate), "bare, events/s": Math.round(theirRate) }
    },
    {
      name: "relay: growth of the gateway's memory over 20,000 chunks, MB",
      ratio: growth,
      target: "< 50",
      ok: growth < 50,
      details: { [`over ${rounds} times as many, MB`]: Math.round(Math.max(...peaks) - before) }
    }
  ]
}

/**
 * What it is worth to record a message at a pace: the same 20,000 chunks from the agent's stdout to an SSE client, each an event, and as
 * many as a person sees.
 */
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import type { Result } from "./main.js"
import { median } from "./relay.js"
import * as Client from "./support/Client.js"
import { demoAgent, gateway } from "./support/Program.js"

const chunks = Number(process.env["HOLDFAST_BENCH_CHUNKS"] ?? 20_000)
const rounds = 5

export default async (): Promise<ReadonlyArray<Result>> => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "holdfast-bench-"))
  const config = path.join(folder, "holdfast.json")
  const agent = { kind: "acp", ...demoAgent }
  fs.writeFileSync(config, JSON.stringify({ agents: { each: { ...agent, coalesce: false }, paced: agent } }))
  const server = await gateway({ HOLDFAST_CONFIG: config })

  const open = async (name: string) => {
    const { id } = await Client.call<{ id: string }>("POST", `${server.url}/v1/sessions`, { agent: name })
    const session = `${server.url}/v1/sessions/${id}`
    let events = 0
    let told = 0
    let ended = () => {}
    await Client.follow(`${session}/events`, (data) => {
      if (data.includes("\"TextChunk\"")) {
        events++
        told += data.split("chunk ").length - 1
      } else if (data.includes("\"RunEnded\"")) ended()
    })
    const stream = async () => {
      events = told = 0
      const end = new Promise<void>((resolve) => ended = resolve)
      const start = performance.now()
      await Client.call("POST", `${session}/runs`, { prompt: `/stream ${chunks}` })
      await end
      if (told !== chunks) throw new Error(`${told} of ${chunks} chunks were told`)
      return { rate: chunks / (performance.now() - start) * 1000, events }
    }
    await stream()
    return stream
  }

  const each = await open("each")
  const paced = await open("paced")
  const rates: [Array<number>, Array<number>] = [[], []]
  let events = 0
  // in turns, so that a busy machine is busy for both
  for (let round = 0; round < rounds; round++) {
    rates[0].push((await each()).rate)
    const one = await paced()
    rates[1].push(one.rate)
    events = Math.max(events, one.events)
  }
  await server.stop()
  fs.rmSync(folder, { recursive: true })
  const [ofEach, ofPaced] = [median(rates[0]), median(rates[1])]
  const ratio = ofPaced / ofEach
  return [{
    name: "pace: chunks a second, agent to SSE client, at a pace, of those as an event each",
    ratio,
    target: ">= 1",
    ok: ratio >= 1,
    details: {
      "an event each, chunks/s": Math.round(ofEach),
      "at a pace of 16 ms, chunks/s": Math.round(ofPaced),
      [`events of ${chunks} chunks at most`]: events
    }
  }]
}

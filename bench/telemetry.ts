/**
 * What telemetry costs on the way from the agent's stdout to an SSE client: the relay of `relay.ts` in a gateway that traces to a collector
 * on loopback and is scraped every second, against one that does neither.
 */
import * as http from "node:http"
import type { AddressInfo } from "node:net"
import type { Result } from "./main.js"
import { holdfast, median } from "./relay.js"

const chunks = 20_000
const rounds = 5

/** Takes whatever is sent to it, and counts the spans of runs. */
const collector = async () => {
  let runs = 0
  const server = http.createServer((request, response) => {
    let body = ""
    request.setEncoding("utf8").on("data", (text) => body += text).on("end", () => {
      runs += body.split("\"holdfast.run\"").length - 1
      response.end("{}")
    })
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    runs: () => runs,
    close: () => server.close()
  }
}

export default async (): Promise<Result> => {
  const sink = await collector()
  const [on, off] = await Promise.all([holdfast({ HOLDFAST_TELEMETRY_OTLP_URL: sink.url }), holdfast()])
  const scraper = setInterval(() => void fetch(`${on.server.url}/metrics`).then((response) => response.text()), 1000)
  for (const side of [on, off]) await side.stream(10)
  const rates: [Array<number>, Array<number>] = [[], []]
  // in turns, so that a busy machine is busy for both
  for (let round = 0; round < rounds; round++) {
    rates[0].push((await on.stream(chunks)).rate)
    rates[1].push((await off.stream(chunks)).rate)
  }
  clearInterval(scraper)
  await Promise.all([on.server.stop(), off.server.stop()])
  sink.close()
  if (sink.runs() !== rounds + 1) throw new Error(`${sink.runs()} of ${rounds + 1} runs were traced`)
  const [onRate, offRate] = [median(rates[0]), median(rates[1])]
  return {
    name: "telemetry: events a second, agent to SSE client, with it on of those with it off",
    ratio: onRate / offRate,
    target: ">= 0.9",
    ok: onRate / offRate >= 0.9,
    details: { "on, events/s": Math.round(onRate), "off, events/s": Math.round(offRate) }
  }
}

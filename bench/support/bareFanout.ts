/** A fan-out with nothing in it: each event is encoded once and written to all responses as it comes, from `node:http`. */
import * as http from "node:http"
import type { AddressInfo } from "node:net"
import { eachTurn, text } from "./events.js"

const viewers = new Set<http.ServerResponse>()
let seq = 0

const send = () => {
  const data = JSON.stringify({
    seq: ++seq,
    sessionId: "ses_0000000000000000",
    runId: "run_0000000000000000",
    at: new Date().toISOString(),
    event: { type: "TextChunk", text }
  })
  const frame = `id: ${seq}\nevent: TextChunk\ndata: ${data}\n\n`
  for (const viewer of viewers) viewer.write(frame)
}

const server = http.createServer((request, response) => {
  if (request.method === "GET") {
    viewers.add(response.writeHead(200, { "content-type": "text/event-stream" }))
    response.write("retry: 1000\n\n")
    response.once("close", () => viewers.delete(response))
    return
  }
  let body = ""
  request.setEncoding("utf8").on("data", (chunk) => body += chunk).on("end", () => {
    response.writeHead(202).end("{}")
    eachTurn(Number(JSON.parse(body).prompt), send, () => {})
  })
}).listen(0, "127.0.0.1", () => console.log(`listening on http://127.0.0.1:${(server.address() as AddressInfo).port}`))

process.once("SIGTERM", () => process.exit())

/** A relay with nothing in it: the agent's updates, each parsed once by the ACP SDK, leave as SSE from `node:http`. */
import * as http from "node:http"
import type { AddressInfo } from "node:net"
import { connect } from "./BareClient.js"

let viewer: http.ServerResponse | undefined
const send = (event: unknown) => viewer?.write(`data: ${JSON.stringify(event)}\n\n`)
const { close, prompt } = await connect(send)

const server = http.createServer((request, response) => {
  if (request.method === "GET") {
    viewer = response.writeHead(200, { "content-type": "text/event-stream" })
    response.flushHeaders()
    return
  }
  let body = ""
  request.setEncoding("utf8").on("data", (chunk) => body += chunk).on("end", () => {
    response.writeHead(202).end("{}")
    void prompt(JSON.parse(body).prompt).then((result) => send({ type: "RunEnded", ...result }))
  })
}).listen(0, "127.0.0.1", () => console.log(`listening on http://127.0.0.1:${(server.address() as AddressInfo).port}`))

process.once("SIGTERM", () => {
  close()
  process.exit()
})

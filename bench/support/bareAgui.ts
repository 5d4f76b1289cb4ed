/** AG-UI's interrupt and its resume with nothing behind them: each prompt is interrupted, each answer ends the run. */
import * as http from "node:http"
import type { AddressInfo } from "node:net"

const server = http.createServer((request, response) => {
  let body = ""
  request.setEncoding("utf8").on("data", (chunk) => body += chunk).on("end", () => {
    const { resume = [], runId, threadId } = JSON.parse(body)
    const send = (event: unknown) => response.write(`data: ${JSON.stringify(event)}\n\n`)
    response.writeHead(200, { "content-type": "text/event-stream" })
    send({ type: "RUN_STARTED", threadId, runId })
    if (resume.length === 0) {
      send({ type: "TOOL_CALL_START", toolCallId: "t", toolCallName: "bash" })
      send({ type: "TOOL_CALL_ARGS", toolCallId: "t", delta: "{}" })
      send({ type: "TOOL_CALL_END", toolCallId: "t" })
      const interrupts = [{ id: "i", reason: "tool_call", toolCallId: "t" }]
      send({ type: "RUN_FINISHED", threadId, runId, outcome: { type: "interrupt", interrupts } })
    } else {
      send({ type: "TOOL_CALL_RESULT", messageId: "m", toolCallId: "t", content: "no" })
      send({ type: "RUN_FINISHED", threadId, runId, outcome: { type: "success" } })
    }
    response.end()
  })
}).listen(0, "127.0.0.1", () => console.log(`listening on http://127.0.0.1:${(server.address() as AddressInfo).port}`))

process.once("SIGTERM", () => process.exit())

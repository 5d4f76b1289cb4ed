/**
 * AG-UI's interrupt and its resume with the least behind them that keeps the promises: the agent's process on the ACP SDK, and each event
 * in SQLite before it is shown. It knows one agent, one thread and one client, checks nothing and forgets everything.
 */
import type { RequestPermissionResponse } from "@agentclientprotocol/sdk"
import Sqlite from "better-sqlite3"
import * as http from "node:http"
import type { AddressInfo } from "node:net"
import { connect } from "./BareClient.js"

const database = new Sqlite(process.argv[2])
database.pragma("journal_mode = WAL")
database.pragma("synchronous = NORMAL")
database.exec("CREATE TABLE events (seq INTEGER PRIMARY KEY, json TEXT NOT NULL)")
const store = database.prepare<[json: string]>("INSERT INTO events (json) VALUES (?)")

let viewer: http.ServerResponse | undefined
let run: { readonly threadId: string; readonly runId: string } | undefined
let answer = (_: RequestPermissionResponse) => {}

const tell = (event: unknown) => {
  const json = JSON.stringify(event)
  store.run(json)
  viewer?.write(`data: ${json}\n\n`)
}
const told = (name: string, value: unknown = {}) => tell({ type: "CUSTOM", name, value })
const finish = (outcome: unknown) => {
  tell({ type: "RUN_FINISHED", ...run, outcome })
  viewer?.end()
  viewer = undefined
}

const { close, prompt } = await connect(({ update }) => told("update", update), () => {
  finish({ type: "interrupt", interrupts: [{ id: "i", reason: "confirmation" }] })
  return new Promise<RequestPermissionResponse>((resolve) => answer = resolve)
})

const server = http.createServer((request, response) => {
  let body = ""
  request.setEncoding("utf8").on("data", (chunk) => body += chunk).on("end", () => {
    const { messages, resume = [], runId, threadId } = JSON.parse(body)
    run = { threadId, runId }
    viewer = response.writeHead(200, { "content-type": "text/event-stream" })
    response.write(`data: ${JSON.stringify({ type: "RUN_STARTED", ...run })}\n\n`)
    if (resume.length === 0) {
      void prompt(messages.at(-1).content).then(() => finish({ type: "success" }))
    } else {
      told("answered")
      answer({ outcome: { outcome: "selected", optionId: "reject_once" } })
    }
  })
}).listen(0, "127.0.0.1", () => console.log(`listening on http://127.0.0.1:${(server.address() as AddressInfo).port}`))

process.once("SIGTERM", () => {
  close()
  process.exit()
})

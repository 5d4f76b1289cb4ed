/** Events straight from Holdfast's database: each page is read by one prepared statement and leaves in one write. */
import Sqlite from "better-sqlite3"
import { once } from "node:events"
import * as http from "node:http"
import type { AddressInfo } from "node:net"

interface Row {
  readonly seq: number
  readonly type: string
  readonly json: string
}

const page = 512

const select = new Sqlite(process.argv[2], { readonly: true }).prepare<[after: number], Row>(
  `SELECT seq, type, json FROM holdfast_events WHERE session = 1 AND seq > ? ORDER BY seq LIMIT ${page}`
)

const server = http.createServer(async (_, response) => {
  response.writeHead(200, { "content-type": "text/event-stream" })
  response.write("retry: 1000\n\n")
  let after = 0
  for (let rows = select.all(after); rows.length > 0; rows = select.all(after)) {
    let text = ""
    for (const { json, seq, type } of rows) text += `id: ${after = seq}\nevent: ${type}\ndata: ${json}\n\n`
    if (!response.write(text)) await once(response, "drain")
  }
  response.end()
}).listen(0, "127.0.0.1", () => console.log(`listening on http://127.0.0.1:${(server.address() as AddressInfo).port}`))

process.once("SIGTERM", () => process.exit())

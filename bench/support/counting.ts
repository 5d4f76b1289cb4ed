/**
 * The process behind `Viewers`. Its clients are bare sockets: they count frames by the blank line that ends each, and parse nothing.
 */
import * as net from "node:net"
import type { Round, Viewing } from "./Viewers.js"

/** A client that reads, and how many frames it lacks of those that it waits for. */
interface Viewer {
  lacks: number
}

const blankLine = Buffer.from("\n\n")

let viewers: ReadonlyArray<Viewer> = []
let waiting = 0
let done = () => {}

const connect = (url: string) => {
  const { host, hostname, pathname, port, search } = new URL(url)
  const socket = net.connect(Number(port), hostname)
  socket.write(`GET ${pathname}${search} HTTP/1.1\r\nHost: ${host}\r\n\r\n`)
  return socket
}

const read = (socket: net.Socket): Viewer => {
  const viewer = { lacks: 0 }
  let cut = false
  socket.on("data", (data) => {
    let frames = 0
    let at = 0
    if (cut && data[0] === 10) frames = at = 1
    while ((at = data.indexOf(blankLine, at)) !== -1) {
      frames++
      at += 2
    }
    cut = data.at(-1) === 10 && data.at(-2) !== 10
    const before = viewer.lacks
    viewer.lacks -= frames
    if (before > 0 && viewer.lacks <= 0 && --waiting === 0) done()
  })
  return viewer
}

const all = (frames: number) =>
  new Promise<void>((resolve) => {
    waiting = viewers.length
    done = resolve
    for (const viewer of viewers) viewer.lacks += frames
  })

const open = ({ before, clients, stuck, url }: Viewing) => {
  const sockets = Array.from({ length: clients }, () => connect(url))
  viewers = sockets.slice(stuck).map(read)
  return all(before)
}

const round = async ({ body, frames, url }: Round) => {
  const arrived = all(frames)
  const response = await fetch(url, { method: "POST", body, headers: { "content-type": "application/json" } })
  if (!response.ok) throw new Error(`${url}: ${response.status}`)
  await arrived
}

process.on("message", async (message: Viewing | Round) => {
  const start = performance.now()
  await ("clients" in message ? open(message) : round(message))
  process.send?.((performance.now() - start) / 1000)
})
process.once("disconnect", () => process.exit())

/** The least that a client needs, over `node:http`: the same for Holdfast and for the bare implementation that it is measured against. */
import * as http from "node:http"

const agent = new http.Agent({ keepAlive: true })

const open = (method: string, url: string, body?: unknown) =>
  new Promise<http.IncomingMessage>((resolve, reject) => {
    const text = body === undefined ? "" : JSON.stringify(body)
    const headers = body === undefined
      ? {}
      : { "content-type": "application/json", "content-length": Buffer.byteLength(text) }
    http.request(url, { method, agent, headers }, resolve).once("error", reject).end(text)
  })

/** A request and its JSON. */
export const call = async <A>(method: string, url: string, body?: unknown): Promise<A> => {
  const response = await open(method, url, body)
  let text = ""
  for await (const chunk of response.setEncoding("utf8")) text += chunk
  if ((response.statusCode ?? 500) >= 300) throw new Error(`${method} ${url}: ${response.statusCode} ${text}`)
  return (text === "" ? undefined : JSON.parse(text)) as A
}

/** Follows an SSE stream: `onData` gets each event's `data` line as text. Returns when the headers are there. */
export const follow = async (url: string, onData: (data: string) => void): Promise<void> => {
  const response = await open("GET", url)
  if (response.statusCode !== 200) throw new Error(`GET ${url}: ${response.statusCode}`)
  let rest = ""
  response.setEncoding("utf8").on("data", (chunk: string) => {
    const lines = (rest + chunk).split("\n")
    rest = lines.pop() ?? ""
    for (const line of lines) if (line.startsWith("data: ")) onData(line.slice(6))
  })
}

/** An ACP agent, in bare JSON-RPC, that puts what a terminal or a page would obey into every text that it has. */
import * as readline from "node:readline"
import { evil } from "./evil.js"

let asked = 0
const answers = new Map<unknown, (result: unknown) => void>()
const send = (message: object) => process.stdout.write(`${JSON.stringify({ jsonrpc: "2.0", ...message })}\n`)

const ask = (method: string, params: object) =>
  new Promise((resolve) => {
    const id = `q${++asked}`
    answers.set(id, resolve)
    send({ id, method, params })
  })

const prompt = async (sessionId: string, text: string) => {
  const update = (update: object) => send({ method: "session/update", params: { sessionId, update } })
  const content = (name: string) => ({ type: "text", text: evil(name) })
  const toolCallId = evil("call")
  update({ sessionUpdate: "agent_message_chunk", content: content("message") })
  // an escape sequence in two halves
  update({ sessionUpdate: "agent_message_chunk", content: { type: "text", text: "half \u001b" } })
  update({ sessionUpdate: "agent_message_chunk", content: { type: "text", text: "]0;title\u0007 other half\n" } })
  update({ sessionUpdate: "agent_thought_chunk", content: content("thought") })
  update({ sessionUpdate: "plan", entries: [{ content: evil("step"), priority: "high", status: "pending" }] })
  update({ sessionUpdate: "current_mode_update", currentModeId: evil("mode") })
  update({ sessionUpdate: "session_info_update", title: evil("title") })
  update({
    sessionUpdate: "tool_call",
    toolCallId,
    title: evil("tool"),
    status: "pending",
    locations: [{ path: evil("path") }]
  })
  const options = ["allow_once", "allow_always", "reject_once"].map((kind) => ({
    optionId: evil(kind),
    name: evil(kind),
    kind
  }))
  await ask("session/request_permission", { sessionId, toolCall: { toolCallId, title: evil("permission") }, options })
  const failed = [{ type: "content", content: content("failure") }]
  update({ sessionUpdate: "tool_call_update", toolCallId, status: "failed", content: failed })
  if (text.includes("fail")) throw new Error(evil("error"))
}

const serve = async (
  method: string,
  { prompt: blocks, sessionId }: { prompt?: [{ text: string }]; sessionId?: string }
) => {
  switch (method) {
    case "initialize":
      if (process.argv.includes("--die")) {
        process.stderr.write(`${evil("stderr")}\n`)
        process.exit(3)
      }
      return { protocolVersion: 1, agentInfo: { name: evil("agent"), version: evil("version") }, agentCapabilities: {} }
    case "session/new":
      return { sessionId: "s", modes: { currentModeId: "m", availableModes: [{ id: "m", name: evil("m") }] } }
    case "session/prompt":
      await prompt(sessionId ?? "", blocks?.[0]?.text ?? "")
      return { stopReason: evil("stop") }
    default:
      return {}
  }
}

readline.createInterface(process.stdin).on("line", (line) => {
  const { id, method, params, result } = JSON.parse(line)
  if (method === undefined) return answers.get(id)?.(result)
  if (id === undefined) return
  serve(method, params).then(
    (result) => send({ id, result }),
    (error: Error) => send({ id, error: { code: -32603, message: error.message } })
  )
}).on("close", () => process.exit())

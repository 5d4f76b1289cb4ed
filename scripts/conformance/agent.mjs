/**
 * An agent over the Agent Client Protocol with what the demo agent does not have, for the cases that need it: models, options, prompts within
 * a turn, and a word on what it was given. `/given` tells its MCP servers and its pid, `/wait` goes on until another prompt comes.
 */
import * as readline from "node:readline"

const send = (message) => process.stdout.write(`${JSON.stringify({ jsonrpc: "2.0", ...message })}\n`)
const models = [{ modelId: "small", name: "Small" }, { modelId: "large", name: "Large" }]
const speeds = [{ value: "slow", name: "Slow" }, { value: "fast", name: "Fast" }]
let sessions = 0
let servers = []
let waiting
let speed = "slow"

const options = () => [{ id: "speed", name: "Speed", type: "select", currentValue: speed, options: speeds }]

const capabilities = {
  loadSession: true,
  mcpCapabilities: { http: true, sse: false },
  _meta: { claudeCode: { promptQueueing: true } }
}

const answer = ({ id, method, params }) => {
  const say = (text) =>
    send({
      method: "session/update",
      params: {
        sessionId: params.sessionId,
        update: { sessionUpdate: "agent_message_chunk", content: { type: "text", text } }
      }
    })
  const reply = (result) => send({ id, result })
  switch (method) {
    case "initialize":
      return reply({ protocolVersion: 1, agentInfo: { name: "probe", version: "1" }, agentCapabilities: capabilities })
    case "session/new":
      servers = params.mcpServers
      return reply({
        sessionId: `probe-${process.pid}-${++sessions}`,
        models: { currentModelId: "small", availableModels: models },
        configOptions: options()
      })
    case "session/load":
      servers = params.mcpServers
      return reply({})
    case "session/set_model":
      return reply({})
    case "session/set_config_option":
      speed = params.value
      return reply({ configOptions: options() })
    case "session/prompt": {
      const text = params.prompt.map((block) => block.text ?? "").join("")
      if (text === "/wait") {
        waiting = id
        return say("I wait.")
      }
      say(
        text === "/given"
          ? JSON.stringify({ session: params.sessionId, pid: process.pid, servers })
          : `I heard ${text}.`
      )
      if (waiting !== undefined) send({ id: waiting, result: { stopReason: "end_turn" } })
      waiting = undefined
      return reply({ stopReason: "end_turn" })
    }
    default:
      if (id !== undefined) send({ id, error: { code: -32601, message: `there is no ${method}` } })
  }
}

readline.createInterface({ input: process.stdin }).on("line", (line) => answer(JSON.parse(line)))

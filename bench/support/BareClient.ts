/** The demo agent on the ACP SDK's own client over stdio. */
import * as acp from "@agentclientprotocol/sdk"
import { spawn } from "node:child_process"
import { Readable, Writable } from "node:stream"
import { demoAgent } from "./Program.js"

const reject = (): acp.RequestPermissionResponse => ({ outcome: { outcome: "selected", optionId: "reject_once" } })

export const connect = async (
  onUpdate: (params: acp.SessionNotification) => void,
  onPermission: () => acp.RequestPermissionResponse | Promise<acp.RequestPermissionResponse> = reject
) => {
  const child = spawn(demoAgent.command, demoAgent.args, { stdio: ["pipe", "pipe", "inherit"] })
  const { agent } = acp.client({ name: "bench" })
    .onNotification(acp.methods.client.session.update, ({ params }) => onUpdate(params))
    .onRequest(acp.methods.client.session.requestPermission, onPermission)
    .connect(acp.ndJsonStream(Writable.toWeb(child.stdin), Readable.toWeb(child.stdout) as ReadableStream<Uint8Array>))
  await agent.request(acp.methods.agent.initialize, { protocolVersion: acp.PROTOCOL_VERSION, clientCapabilities: {} })
  const { sessionId } = await agent.request(acp.methods.agent.session.new, { cwd: process.cwd(), mcpServers: [] })
  return {
    prompt: (text: string) =>
      agent.request(acp.methods.agent.session.prompt, { sessionId, prompt: [{ type: "text", text }] }),
    close: () => child.kill("SIGKILL")
  }
}

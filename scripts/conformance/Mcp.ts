/** What an agent does that uses the host's MCP server: one call of a tool, and its text. */
import * as Effect from "effect/Effect"

const post = async (url: string, body: object, session?: string) => {
  const response = await fetch(`${url}/mcp`, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      accept: "application/json, text/event-stream",
      ...(session === undefined ? {} : { "mcp-session-id": session })
    },
    body: JSON.stringify({ jsonrpc: "2.0", ...body })
  })
  return { session: response.headers.get("mcp-session-id") ?? undefined, text: await response.text() }
}

export const call = (url: string, name: string, args: object): Effect.Effect<string> =>
  Effect.promise(async () => {
    const { session } = await post(url, {
      id: 1,
      method: "initialize",
      params: { protocolVersion: "2025-03-26", capabilities: {}, clientInfo: { name: "conformance", version: "1" } }
    })
    await post(url, { method: "notifications/initialized" }, session)
    return (await post(url, { id: 2, method: "tools/call", params: { name, arguments: args } }, session)).text
  })

export const ask = (url: string) =>
  call(url, "ask_user_question_kandev", {
    context: "a choice",
    questions: [{
      id: "q1",
      title: "Store",
      prompt: "Which store?",
      options: [{ label: "PostgreSQL", description: "a server" }, { label: "SQLite", description: "a file" }]
    }]
  })

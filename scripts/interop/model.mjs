/**
 * A model server without a model: what the real agent under test talks to. Prints its port.
 */
const { LLMock } = await import(process.argv[2])

const mock = new LLMock({ port: 0, logLevel: "silent" })
// `hasToolResult`: after the tool's result the same user message is still the last one, and the agent would loop
mock.on({ userMessage: "write", hasToolResult: false }, {
  toolCalls: [{
    name: "exec_command",
    arguments: JSON.stringify({
      cmd: "echo written > note.txt",
      sandbox_permissions: "require_escalated",
      justification: "Write the note?"
    })
  }]
})
mock.on({ userMessage: "write", hasToolResult: true }, { content: "The note is written." })
mock.onMessage("count", { content: Array.from({ length: 400 }, (_, n) => `number ${n}`).join(", ") }, {
  latency: 20,
  chunkSize: 10
})
mock.onMessage("again", { content: "Here I am again." })
await mock.start()
console.log(mock.url)

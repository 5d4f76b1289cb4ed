/** A host in a process of its own, as the tests have it: a prompt "/stream N" makes its agent say N chunks, no faster than they are read. */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Effect from "effect/Effect"
import * as FakeHost from "../../test/agent/agentctl/FakeHost.js"

const burst = async (host: FakeHost.FakeHost, count: number, generation: number) => {
  for (let sent = 0; sent < count; sent++) {
    host.chunk(`chunk ${sent + 1} `)
    if (sent % 500 > 0) continue
    do await new Promise((resolve) => setImmediate(resolve))
    while (host.unsent() > 256 * 1024)
  }
  host.complete(generation)
}

NodeRuntime.runMain(Effect.scoped(Effect.gen(function*() {
  const host = yield* FakeHost.make()
  host.onPrompt = ({ generation, text }) => void burst(host, Number(/\d+/.exec(text)?.[0] ?? 0), generation)
  console.log(`listening on ${host.url}`)
  return yield* Effect.never
})))

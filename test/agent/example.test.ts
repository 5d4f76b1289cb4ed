/** The SDK's own example agent, as it is published: not one of ours. */
import { afterEach, assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { fileURLToPath } from "node:url"
import { connect, events, say, until, watchChildren } from "./support.js"

const agent = fileURLToPath(new URL("../../node_modules/acp-example/dist/examples/agent.js", import.meta.url))
const options = { args: [agent] }

describe("the SDK's example agent", () => {
  afterEach(watchChildren())

  it.scopedLive("completes a prompt with a permission", () =>
    Effect.gen(function*() {
      const connection = yield* connect({ options })
      yield* say(connection, "hi")
      const before = yield* until(connection, (signal) => signal._tag === "Asked")
      const asked = before.at(-1)
      assert.strictEqual(asked?._tag, "Asked")
      if (asked?._tag !== "Asked" || asked.request.kind !== "permission") return assert.fail("it asks for a permission")
      assert.deepStrictEqual(asked.request.options.map(({ kind }) => kind), ["allow_once", "reject_once"])
      yield* asked.reply(Option.some({ action: "accept", content: { optionId: asked.request.options[0]?.optionId } }))
      const after = yield* until(connection, (signal) => signal._tag === "TurnEnded")
      assert.deepInclude(after.at(-1), { result: { _tag: "Stopped", stopReason: "end_turn" } })

      const all = events([...before, ...after])
      assert.isEmpty(all.filter(({ type }) => type === "Extension" || type === "Warning"))
      const ended = all.flatMap((event) => event.type === "ToolCallEnded" ? [event.toolCallId] : [])
      assert.deepStrictEqual(ended, ["call_1", "call_2"])
    }), 60_000)

  it.scopedLive("is cancelled in the middle of a turn", () =>
    Effect.gen(function*() {
      const connection = yield* connect({ options })
      yield* say(connection, "hi")
      yield* until(connection, (signal) => signal._tag === "Said")
      yield* connection.cancel
      const after = yield* until(connection, (signal) => signal._tag === "TurnEnded")
      assert.deepInclude(after.at(-1), { result: { _tag: "Stopped", stopReason: "cancelled" } })
    }), 60_000)
})

import { afterEach, assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import { leakFreeFile } from "holdfast/testing/vitest"
import * as AcpAgent from "../../../src/agent/acp/AcpAgent.js"
import { Agents } from "../../../src/agent/Agent.js"
import { connect, reports, turn, watchChildren } from "../support.js"

leakFreeFile({ grace: "5 seconds" })

const decode = Schema.decodeUnknownEither(AcpAgent.AcpAgentOptions, { onExcessProperty: "error" })

describe("AcpAgent", () => {
  afterEach(watchChildren())

  it("is configured as people write it", () => {
    const options = Either.getOrThrow(
      decode({ command: "agent", startTimeout: "1 minute", grace: { term: "500 millis" } })
    )
    assert.deepStrictEqual(options.startTimeout, Duration.minutes(1))
    assert.deepStrictEqual(options.grace?.term, Duration.millis(500))
    assert.include(Either.getOrThrow(Either.flip(decode({ command: "a", startTimeout: "soon" }))).message, "30 seconds")
    for (const wrong of [{}, { command: "" }, { command: "a", maxMessageBytes: 0 }, { command: "a", colour: "red" }]) {
      assert.isTrue(Either.isLeft(decode(wrong)))
    }
  })

  it.effect("the layer offers each agent by its name", () =>
    Effect.gen(function*() {
      const agents = yield* Agents
      assert.deepStrictEqual(
        agents.all.map(({ description, kind, name }) => ({ description, kind, name })),
        [{ name: "a", kind: "acp", description: "agent --acp" }, { name: "b", kind: "acp", description: "Bee" }]
      )
      assert.strictEqual((yield* Effect.flip(agents.get("c")))._tag, "AgentNotFound")
    }).pipe(
      Effect.provide(
        AcpAgent.layer({ a: { command: "agent", args: ["--acp"] }, b: { command: "b", description: "Bee" } })
      )
    ))

  it.scopedLive("a secret reaches the agent, and no print of the options", () =>
    Effect.gen(function*() {
      const options = { env: { KEY: Redacted.make("hunter2") } }
      assert.notInclude(JSON.stringify(options), "hunter2")
      const [env] = reports(yield* turn(yield* connect({ options }), "env"))
      assert.deepInclude(env, { KEY: "hunter2" })
    }))
})

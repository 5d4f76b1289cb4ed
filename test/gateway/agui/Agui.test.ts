import { EventType } from "@ag-ui/core"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { leakFreeFile } from "holdfast/testing/vitest"
import { client, start, texts } from "./fixture.js"

leakFreeFile()

describe("a run", () => {
  it.scopedLive("text", () =>
    Effect.gen(function*() {
      const running = yield* start(({ say }) =>
        Effect.zipRight(say({ type: "TextChunk", text: "Hello" }), say({ type: "TextChunk", text: " there" }))
      )
      const { agent, say } = client(running)
      const ran = yield* say("hi")
      expect(ran.error).toBeUndefined()
      expect(ran.types).toEqual([
        EventType.RUN_STARTED,
        EventType.STATE_SNAPSHOT,
        EventType.TEXT_MESSAGE_START,
        EventType.TEXT_MESSAGE_CONTENT,
        EventType.TEXT_MESSAGE_CONTENT,
        EventType.TEXT_MESSAGE_END,
        EventType.RUN_FINISHED
      ])
      expect(texts(agent.messages)).toEqual(["user: hi", "assistant: Hello there"])
    }))
})

import { describe, expect } from "@effect/vitest"
import * as ContextLimit from "../../../src/agent/loop/ContextLimit.js"
import { it, leakFreeFile } from "../../../src/testing/vitest.js"

leakFreeFile()

describe("a refusal", () => {
  it("is of what is too long in the words of each provider, with the tokens that it tells", () => {
    const numbers = (status: number | undefined, text: string) => {
      const { size, used } = ContextLimit.of(status, text) ?? { used: "no refusal", size: "as too long" }
      return [used, size]
    }
    for (
      const [status, text, used, size] of [
        [
          400,
          "{\"type\":\"invalid_request_error\",\"message\":\"prompt is too long: 210000 tokens > 200000 maximum\"}",
          210_000,
          200_000
        ],
        [400, "input length and `max_tokens` exceed context limit: 188240 + 21333 > 200000", 188_240, 200_000],
        [
          400,
          "This model's maximum context length is 8192 tokens. However, your messages resulted in 9001 tokens.",
          9001,
          8192
        ],
        [400, "This model's maximum context length is 8192 tokens.", undefined, 8192],
        [400, "Your input exceeds the context window of this model.", undefined, undefined],
        [undefined, "{\"type\":\"error\",\"code\":\"context_length_exceeded\"}", undefined, undefined],
        [
          400,
          "The input token count (1196265) exceeds the maximum number of tokens allowed (1048575).",
          1_196_265,
          1_048_575
        ],
        [400, "maximum prompt length is 131072 but the request contains 537812 tokens", 537_812, 131_072],
        [400, "request (5000 tokens) exceeds the available context size (4096 tokens), try increasing it", 5000, 4096],
        [400, "{\"type\": \"exceed_context_size_error\", \"n_prompt_tokens\": 26,\n \"n_ctx\": 20}", 26, 20],
        [400, "Your request exceeded model token limit: 262144 (requested: 270000)", 270_000, 262_144],
        [413, "", undefined, undefined]
      ] as const
    ) expect(numbers(status, text)).toEqual([used, size])
  })

  it("is of something else where it says something else, or is asked too often", () => {
    for (
      const [status, text] of [
        [400, "unknown parameter: stream_options"],
        [400, "max_tokens is too large: 100000. This model supports at most 16384 completion tokens"],
        [429, "Request too large for gpt-4o: Limit 30000 tokens per minute, context_length_exceeded"],
        [500, "the server had an error"],
        [undefined, "overloaded"]
      ] as const
    ) expect(ContextLimit.of(status, text)).toBe(undefined)
  })
})

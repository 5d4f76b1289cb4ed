import { describe, expect, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as FastCheck from "effect/FastCheck"
import * as Schema from "effect/Schema"
import { SessionEvent } from "../../src/domain/AgentEvent.js"
import { RunId, SessionId } from "../../src/domain/Ids.js"
import * as StoredEvent from "../../src/domain/StoredEvent.js"

const stored = { sessionId: SessionId.make("ses_1"), runId: RunId.make("run_1"), at: "2026-11-21T02:00:00.000Z" }

const encode = Schema.encodeSync(Schema.parseJson(StoredEvent.StoredEvent))

// what JSON makes of numbers that it has no word for, and JavaScript of this name, is no matter of the schema
const events = Arbitrary.make(Schema.typeSchema(SessionEvent)).filter((event) =>
  !/NaN|Infinity|__proto__/i.test(FastCheck.stringify(event))
)

describe("SessionEvent", () => {
  const samples = FastCheck.sample(events, { numRuns: 2000, seed: 7 })

  for (const type of SessionEvent.members.flatMap((member) => member.fields.type.literals)) {
    it.effect(`${type} is the same after its way through JSON`, () =>
      Effect.gen(function*() {
        const mine = samples.filter((event) => event.type === type)
        expect(mine).not.toHaveLength(0)
        for (const event of mine) {
          const before = { seq: 7, ...stored, event }
          const json = encode(before)
          const after = yield* StoredEvent.fromJson(json)
          expect(after.event.type).toBe(type)
          expect(encode(after)).toBe(json)
          // a log writes what it holds without an encoder
          expect(JSON.parse(JSON.stringify(before))).toEqual(JSON.parse(json))
        }
      }))
  }

  it("an event of an unknown type is refused, not taken for another", () => {
    const decode = Schema.decodeUnknownEither(SessionEvent)
    expect(Either.isLeft(decode({ type: "Nonsense", text: "hi" }))).toBe(true)
    expect(Either.isLeft(decode({ type: "TextChunk" }))).toBe(true)
  })

  it("no two types have one name", () => {
    const names = SessionEvent.members.flatMap((member) => member.fields.type.literals)
    expect(new Set(names).size).toBe(names.length)
  })
})

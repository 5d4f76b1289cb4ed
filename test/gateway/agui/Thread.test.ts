import { describe, expect, it } from "@effect/vitest"
import * as Schema from "effect/Schema"
import { leakFreeFile } from "holdfast/testing/vitest"
import { SessionId } from "../../../src/domain/Ids.js"
import { sessionOf } from "../../../src/gateway/agui/Thread.js"

leakFreeFile()

describe("the session of a thread", () => {
  it("is the same for ever: what is stored under it must be found again", () => {
    expect(sessionOf("demo", "thread-1")).toEqual({ id: "ses_87mrecc6bw76f8ym3c0t1dtjtr", made: true })
  })

  it("is a session id whatever the thread is called", () => {
    for (const threadId of ["", " ", "ünïcödé", "x".repeat(255), "ses_", "../../etc", "ses_a-b"]) {
      expect(Schema.is(SessionId)(sessionOf("demo", threadId).id), threadId).toBe(true)
    }
  })

  it("is another for another agent and another thread", () => {
    const ids = ["a", "b", "ab", ""].flatMap((agent) => ["a", "b", "ab", "c"].map((id) => sessionOf(agent, id).id))
    expect(new Set(ids).size).toBe(ids.length)
  })

  it("is the thread itself where that is one of ours", () => {
    expect(sessionOf("demo", "ses_abc")).toEqual({ id: "ses_abc", made: false })
  })
})

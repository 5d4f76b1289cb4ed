/** What many sessions that share a host's one token do to each other when it is refused. */
import { describe, expect } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Redacted from "effect/Redacted"
import { it, leakFreeFile } from "holdfast/testing/vitest"
import * as Control from "../../../src/agent/agentctl/Control.js"
import { HostError } from "../../../src/agent/agentctl/HostError.js"
import type { Send } from "../../../src/agent/agentctl/Http.js"
import * as KeptToken from "../../../src/agent/agentctl/KeptToken.js"

leakFreeFile()

const refused = (status: number) =>
  new HostError({ reason: "Unauthorized", method: "", status, message: `refused (${status})` })

describe("a token that the host does not take any more", () => {
  it.scoped("is exchanged once, however late the refusals of requests come that had it", () =>
    Effect.gen(function*() {
      let life = 1
      let used = false
      let handshakes = 0
      const late = yield* Deferred.make<void>()
      const send: Send = ({ headers, url }) =>
        Effect.suspend((): Effect.Effect<unknown, HostError> => {
          if (url.pathname === "/auth/handshake") {
            handshakes++
            if (used) return refused(403)
            used = true
            return Effect.succeed({ token: `token-${life}` })
          }
          const taken = headers["authorization"] === `Bearer token-${life}`
          if (taken) return Effect.succeed({ instances: [] })
          return url.pathname.endsWith("/late") ? Effect.zipRight(Deferred.await(late), refused(401)) : refused(401)
        })
      const options = { url: "http://host", nonce: Redacted.make("once") }
      const control = yield* Control.make(options, send, KeptToken.none)
      yield* control.list
      // the host is started anew, with the same nonce
      life = 2
      used = false
      const one = yield* Effect.fork(control.remove("late"))
      yield* Effect.yieldNow()
      yield* control.list
      yield* Deferred.succeed(late, undefined)
      yield* Fiber.join(one)
      yield* control.list
      expect(handshakes).toBe(2)
    }))

  it.scoped("or that no request can carry, is refused with a word, and not shown", () =>
    Effect.gen(function*() {
      const send: Send = () => Effect.succeed({ token: "se\ncret" })
      const options = { url: "http://host", token: Redacted.make("se\ncret") }
      const configured = yield* Control.make(options, send, KeptToken.none)
      const error = yield* Effect.flip(configured.list)
      expect(error).toMatchObject({ reason: "Unauthorized", message: expect.stringContaining("a line break") })
      const given = yield* Control.make({ url: "http://host", nonce: Redacted.make("once") }, send, KeptToken.none)
      const strange = yield* Effect.flip(given.list)
      expect(strange).toMatchObject({ reason: "Malformed", message: expect.stringContaining("no token that") })
      expect(`${error.message}${strange.message}`).not.toMatch(/se\ncret|se\\ncret/)
    }))
})

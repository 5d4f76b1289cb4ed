import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Stream from "effect/Stream"
import * as GatewayClient from "../../src/cli/GatewayClient.js"
import { SessionId } from "../../src/domain/Ids.js"
import { type Handler, serve } from "../serve.js"

const session = SessionId.make("ses_a")

const client = (url: string, token?: string) =>
  GatewayClient.make({ url, token: Option.map(Option.fromNullable(token), Redacted.make) }).pipe(
    Effect.provide(NodeHttpClient.layer)
  )

const refuse = (status: number, tag: string, message: string): Handler => (_, response) => {
  response.writeHead(status, { "content-type": "application/json" })
  response.end(JSON.stringify({ _tag: tag, message, sessionId: session, oldest: 3 }))
}

describe("GatewayClient", () => {
  it.scopedLive("EL6 what trying again does not mend is an error at once", () =>
    Effect.gen(function*() {
      const { requests, url } = yield* serve(refuse(410, "CursorExpired", "no events before 3 any more"))
      const gateway = yield* client(url)
      const error = yield* Effect.flip(Stream.runDrain(gateway.events(session, 0, () => Effect.void)))
      expect(error).toMatchObject({ exitCode: 1, lines: ["no events before 3 any more"] })
      expect(requests).toHaveLength(1)
    }))

  it.scopedLive("the token is sent, and one that is refused is told with how to give it", () =>
    Effect.gen(function*() {
      const { requests, url } = yield* serve(refuse(401, "Unauthorized", "no token"))
      const gateway = yield* client(url, "s3cret")
      const error = yield* Effect.flip(gateway.get(session))
      expect(requests[0]?.token).toBe("Bearer s3cret")
      expect(error.exitCode).toBe(2)
      expect(error.lines).toEqual([`no token: give the token of ${url} with --token or HOLDFAST_TOKEN`])
    }))

  it.scopedLive("what the gateway refuses is said in its words", () =>
    Effect.gen(function*() {
      const { url } = yield* serve(refuse(404, "SessionNotFound", "there is no session ses_a"))
      const gateway = yield* client(url)
      expect(yield* Effect.flip(gateway.cancel(session))).toMatchObject({
        exitCode: 1,
        lines: ["there is no session ses_a"]
      })
    }))

  it.scopedLive("a gateway that is not there is told with where and how to start one", () =>
    Effect.gen(function*() {
      const gateway = yield* client("http://127.0.0.1:1")
      const error = yield* Effect.flip(gateway.get(session))
      expect(error.exitCode).toBe(2)
      expect(error.lines).toEqual([
        "no gateway answers at http://127.0.0.1:1; start one with \"holdfast serve\" or name another with --url"
      ])
    }))

  it.scopedLive("a server of another kind is told apart from a gateway", () =>
    Effect.gen(function*() {
      const { url } = yield* serve((_, response) => void response.writeHead(200).end("<html>"))
      const gateway = yield* client(url)
      const error = yield* Effect.flip(gateway.get(session))
      expect(error).toMatchObject({ exitCode: 2, lines: [expect.stringContaining("is not a Holdfast gateway")] })
    }))
})

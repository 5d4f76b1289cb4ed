/** Both forms of the client, as one: what is said of one is true of the other. */
import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
import type * as HttpClient from "@effect/platform/HttpClient"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Stream from "effect/Stream"
import { Client, createClient } from "holdfast/client"
import type { SessionId } from "../../src/domain/Ids.js"

export interface Options {
  readonly after?: number
  readonly token?: string
  readonly idle?: number
  readonly onBreak?: (reason: string) => void
}

interface Failure {
  readonly _tag: string
  readonly message: string
}

export interface Form {
  readonly name: string
  /** The numbers and texts of what comes. */
  readonly follow: (
    url: string,
    session: SessionId,
    options?: Options
  ) => Stream.Stream<{ readonly seq: number; readonly text: string }, Failure>
}

const text = (event: { readonly type: string }) => "text" in event ? String(event.text) : event.type

const effect = (name: string, http: Layer.Layer<HttpClient.HttpClient>): Form => ({
  name,
  follow: (url, session, { idle, onBreak, token, ...options } = {}) =>
    Client.make({ url, idle, token: token === undefined ? undefined : Redacted.make(token) }).pipe(
      Effect.provide(http),
      Effect.map((client) =>
        client.events({
          session,
          ...options,
          ...onBreak === undefined ? {} : { onBreak: (reason) => Effect.sync(() => onBreak(reason)) }
        })
      ),
      Stream.unwrap,
      Stream.map(({ event, seq }) => ({ seq, text: text(event) }))
    )
})

const plain: Form = {
  name: "createClient",
  follow: (url, session, { token, ...options } = {}) =>
    Stream.suspend(() => {
      const client = createClient({ url, ...token === undefined ? {} : { token } })
      return Stream.fromAsyncIterable(client.events(session, options), (error) => error as Failure)
    }).pipe(Stream.map(({ event, seq }) => ({ seq, text: text(event) })))
}

export const forms: ReadonlyArray<Form> = [
  effect("Client over Node's http", NodeHttpClient.layer),
  effect("Client over fetch", FetchHttpClient.layer),
  plain
]

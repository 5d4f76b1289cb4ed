/** A WebSocket client that keeps what comes. */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { type ClientOptions, WebSocket } from "ws"
import type { Gateway } from "../../../src/gateway/Gateway.js"
import { id, until } from "../fixture.js"

export interface Frame {
  readonly [key: string]: unknown
}

export interface Client {
  readonly ws: WebSocket
  readonly texts: Array<string>
  readonly frames: () => ReadonlyArray<Frame>
  readonly send: (...frames: ReadonlyArray<unknown>) => void
  /** The reply to the command of this id. */
  readonly reply: (id: unknown) => Effect.Effect<Frame>
  /** The close code and reason. */
  readonly end: Effect.Effect<readonly [code: number, reason: string]>
  /** How the server answered the handshake, if not with an upgrade. */
  readonly refusal: () => { readonly status: number; readonly headers: unknown; readonly body: Frame } | undefined
}

export const path = `/v1/sessions/${id}/socket`

export const open = (
  gateway: Pick<Gateway["Type"], "url">,
  to = path,
  options: ClientOptions = {}
): Effect.Effect<Client, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync((): Client => {
      const ws = new WebSocket(`${gateway.url.replace(/^http/, "ws")}${to}`, options)
      const texts: Array<string> = []
      let closed: readonly [number, string] | undefined
      let refusal: ReturnType<Client["refusal"]>
      ws.on("message", (data) => texts.push(data.toString()))
      ws.on("error", () => {})
      ws.on("close", (code, reason) => closed = [code, reason.toString()])
      ws.on("unexpected-response", (_, response) => {
        let body = ""
        response.setEncoding("utf8").on("data", (text: string) => body += text)
        response.on("end", () => {
          refusal = { status: response.statusCode ?? 0, headers: response.headers, body: JSON.parse(body) }
          ws.terminate()
        })
      })
      const frames = () => texts.map((text): Frame => JSON.parse(text))
      return {
        ws,
        texts,
        frames,
        send: (...frames) => {
          for (const frame of frames) ws.send(typeof frame === "string" ? frame : JSON.stringify(frame))
        },
        reply: (id) =>
          Effect.map(
            until(
              `the reply to ${String(id)} among ${texts.join("\n")}`,
              () => frames().some((frame) => frame.id === id),
              20_000
            ),
            () => frames().find((frame) => frame.id === id) ?? {}
          ),
        end: Effect.map(until("the end of the socket", () => closed !== undefined, 20_000), () => closed ?? [0, ""]),
        refusal: () => refusal
      }
    }),
    ({ ws }) =>
      Effect.async<void>((resume) => {
        if (ws.readyState === ws.CLOSED) return resume(Effect.void)
        ws.once("close", () => resume(Effect.void))
        ws.terminate()
      })
  )

/** As `open`; returns when it is open. */
export const connected = (...args: Parameters<typeof open>) =>
  Effect.tap(open(...args), ({ ws }) => until("the socket is open", () => ws.readyState === ws.OPEN, 20_000))

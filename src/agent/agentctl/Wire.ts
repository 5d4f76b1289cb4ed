/**
 * The frames of the agent stream. Three families share the socket and are told apart by `type`: envelopes of requests and responses, both
 * ways, and events, which have no id and no number.
 *
 * @since 0.1.0
 */
import * as Predicate from "effect/Predicate"
import type { Frame as Raw } from "../../lifecycle/stream/WebSocketSource.js"

/** @since 0.1.0 */
export type Fields = Readonly<Record<string, unknown>>

/** @since 0.1.0 */
export type Frame =
  | { readonly _tag: "Response"; readonly id: string; readonly payload: Fields }
  | { readonly _tag: "Failure"; readonly id: string; readonly code: string; readonly message: string }
  | { readonly _tag: "Request"; readonly id: string; readonly action: string; readonly payload: Fields }
  | { readonly _tag: "Event"; readonly type: string; readonly fields: Fields }
  | { readonly _tag: "Malformed"; readonly text: string; readonly what: string }

/** @since 0.1.0 */
export const string = (value: unknown): string | undefined => typeof value === "string" ? value : undefined

/** @since 0.1.0 */
export const fieldsOf = (value: unknown): Fields => Predicate.isRecord(value) ? value : {}

const malformed = (text: string, what: string): Frame => ({ _tag: "Malformed", text: text.slice(0, 200), what })

/** @since 0.1.0 */
export const parse = (raw: Raw): Frame => {
  const text = typeof raw === "string" ? raw : Buffer.from(raw).toString()
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return malformed(text, "not JSON")
  }
  if (!Predicate.isRecord(value)) return malformed(text, "not an object")
  const { id, type } = value
  if (typeof type !== "string") return malformed(text, "without a type")
  if (typeof id !== "string" || id === "") return { _tag: "Event", type, fields: value }
  const payload = fieldsOf(value["payload"])
  switch (type) {
    case "response":
      return { _tag: "Response", id, payload }
    case "error": {
      const code = string(payload["code"]) ?? "INTERNAL_ERROR"
      return { _tag: "Failure", id, code, message: string(payload["message"]) ?? code }
    }
    case "request":
      return { _tag: "Request", id, action: string(value["action"]) ?? "", payload }
    default:
      return { _tag: "Event", type, fields: value }
  }
}

const envelope = (type: string, id: string, action: string, payload: unknown) =>
  JSON.stringify({ id, type, action, payload })

/** @since 0.1.0 */
export const request = (id: string, action: string, payload: unknown): string =>
  envelope("request", id, action, payload)

/** @since 0.1.0 */
export const response = (id: string, action: string, payload: unknown): string =>
  envelope("response", id, action, payload)

/** @since 0.1.0 */
export const failure = (id: string, action: string, code: string, message: string): string =>
  envelope("error", id, action, { code, message })

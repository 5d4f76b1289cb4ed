/**
 * One frame of an AG-UI stream as an event: checked by the protocol's own schemas. Pure.
 *
 * @since 0.1.0
 */
import { type AGUIEvent, EventType, omitOptionalNulls } from "@ag-ui/core"
import { EventSchemas } from "@ag-ui/core/schemas"
import * as Either from "effect/Either"
import * as Predicate from "effect/Predicate"
import { AgentProtocolError } from "../../domain/Errors.js"

/**
 * What a frame says. `Unknown` is a type that this release of the protocol does not have. `run` is the run that the event names itself:
 * not all have a place for it, and some servers tell it beside (`run_id`).
 *
 * @since 0.1.0
 */
export type Frame =
  | { readonly _tag: "Known"; readonly event: AGUIEvent; readonly run: string | undefined }
  | { readonly _tag: "Unknown"; readonly type: string; readonly json: unknown; readonly run: string | undefined }

const types: ReadonlySet<string> = new Set(Object.values(EventType))

const wrong = (message: string, data: string) =>
  Either.left(new AgentProtocolError({ detail: data.slice(0, 200), message: `the agent sent ${message}` }))

const runOf = (json: { readonly [key: string]: unknown }): string | undefined => {
  const run = json["runId"] ?? json["run_id"]
  return typeof run === "string" && run !== "" ? run : undefined
}

/**
 * A history that a `RUN_STARTED` repeats is not ours to judge: it is what we have sent.
 */
const withoutInput = (json: { readonly [key: string]: unknown }): { readonly [key: string]: unknown } => {
  if (json["type"] !== EventType.RUN_STARTED) return json
  const { input: _, ...event } = json
  return event
}

/** What has passed the schema is of the types that are made from it; they differ in how they write what is optional. */
const isEvent = (checked: { readonly type: string }): checked is AGUIEvent => types.has(checked.type)

/** @since 0.1.0 */
export const decode = (data: string): Either.Either<Frame, AgentProtocolError> => {
  let json: unknown
  try {
    json = JSON.parse(data)
  } catch {
    return wrong("a line that is not JSON", data)
  }
  if (!Predicate.isRecord(json) || typeof json["type"] !== "string") {
    return wrong("a frame that is no event: an event is an object with a type", data)
  }
  const { type } = json
  const run = runOf(json)
  if (!types.has(type)) return Either.right({ _tag: "Unknown", type, json, run })
  // servers of older releases send `null` for what is absent
  const parsed = EventSchemas.safeParse(omitOptionalNulls(withoutInput(json), "Event"))
  if (!parsed.success) {
    const [issue] = parsed.error.issues
    return wrong(`a ${type} that is wrong at ${issue?.path.join(".") || "its root"}: ${issue?.message ?? ""}`, data)
  }
  return isEvent(parsed.data)
    ? Either.right({ _tag: "Known", event: parsed.data, run })
    : wrong(`an unknown ${type}`, data)
}

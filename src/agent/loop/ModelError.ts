/**
 * What went wrong with a model: whether it helps to ask again, and how it is told. Pure.
 *
 * @since 0.1.0
 */
import type * as AiError from "@effect/ai/AiError"
import * as Option from "effect/Option"
import { AgentAuthRequired, AgentContextExceeded, type AgentError, AgentRequestFailed } from "../../domain/Errors.js"
import * as ContextLimit from "./ContextLimit.js"

/** @since 0.1.0 */
export class ModelFailed {
  readonly _tag = "ModelFailed"
  constructor(
    readonly error: AgentError,
    /** Another attempt may do better. */
    readonly transient: boolean,
    /** The model wants to be left alone so long, in milliseconds. */
    readonly retryAfter: number | undefined = undefined
  ) {}
  get message() {
    return this.error.message
  }
}

const method = "model"
const transient = new Set([408, 409, 425, 429])

/**
 * In milliseconds from now; a number is seconds, anything else a date.
 *
 * @see https://www.rfc-editor.org/rfc/rfc9110#field.retry-after
 * @since 0.1.0
 */
export const retryAfter = (header: string | undefined, now: number): number | undefined => {
  if (header === undefined) return undefined
  const millis = /^\s*\d+(\.\d+)?\s*$/.test(header) ? Number(header) * 1000 : Date.parse(header) - now
  return Number.isFinite(millis) ? Math.max(0, millis) : undefined
}

/**
 * What the provider wrote. Of a body that is not what its type says `@effect/ai` has the failed request instead, with the key in its
 * headers, which is for nobody's eyes.
 */
const bodyOf = ({ body = "" }: AiError.HttpResponseError) => body.includes("\"@effect/platform/HttpClient") ? "" : body

/** A provider's body is for the operator's eyes: people are told its first words. */
const words = (text: string | undefined) =>
  Option.fromNullable(text?.trim().slice(0, 500)).pipe(
    Option.filter((text) => text !== ""),
    Option.match({ onNone: () => "", onSome: (text) => `: ${text}` })
  )

const exceeded = (model: string, { size, used }: ContextLimit.TooLong, text: string): ModelFailed => {
  const counted = used === undefined || size === undefined ? "" : ` (${used} tokens, and it takes ${size})`
  return new ModelFailed(
    new AgentContextExceeded({
      model,
      used,
      size,
      message:
        `the model "${model}" refuses the conversation as too long${counted}: send less at once, begin a new session, or give the agent a model with a larger context${
          words(text)
        }`
    }),
    false
  )
}

/** @since 0.1.0 */
export const of = (model: string, error: AiError.AiError, now: number): ModelFailed => {
  const failed = (code: number, message: string) => new AgentRequestFailed({ method, code, message })
  switch (error._tag) {
    case "HttpRequestError":
      return new ModelFailed(
        failed(-32000, `the model "${model}" cannot be reached at ${error.request.url}${words(error.description)}`),
        error.reason === "Transport"
      )
    case "HttpResponseError": {
      const { reason, response: { headers, status } } = error
      const body = bodyOf(error)
      // its description is the whole request
      if (reason !== "StatusCode") {
        return new ModelFailed(failed(-32000, `the answer of the model "${model}" broke off or cannot be read`), true)
      }
      const message = `the model "${model}" answered with status ${status}${words(body)}`
      if (status === 401 || status === 403) {
        return new ModelFailed(
          new AgentAuthRequired({
            methods: [],
            message: `${message}; its API key is missing, wrong, or may not use it`
          }),
          false
        )
      }
      const tooLong = ContextLimit.of(status, body)
      if (tooLong !== undefined) return exceeded(model, tooLong, body)
      return new ModelFailed(
        failed(status, message),
        status >= 500 || transient.has(status),
        retryAfter(headers["retry-after"], now)
      )
    }
    case "MalformedOutput":
      return new ModelFailed(
        failed(-32000, `the model "${model}" answered what cannot be read: ${error.message}`),
        true
      )
    case "MalformedInput":
      return new ModelFailed(failed(-32602, `the model "${model}" cannot be asked this: ${error.message}`), false)
    case "UnknownError":
      return new ModelFailed(failed(-32000, `the model "${model}" failed: ${error.message}`), true)
  }
}

/** @since 0.1.0 */
export const stalled = (model: string, after: string): ModelFailed =>
  new ModelFailed(
    new AgentRequestFailed({ method, code: -32000, message: `the model "${model}" said nothing for ${after}` }),
    true
  )

/** An error that came in the middle of the answer, as part of it. @since 0.1.0 */
export const said = (model: string, error: unknown): ModelFailed => {
  const text = typeof error === "string" ? error : error instanceof Error ? error.message : JSON.stringify(error)
  const tooLong = ContextLimit.of(undefined, text)
  if (tooLong !== undefined) return exceeded(model, tooLong, text)
  return new ModelFailed(
    new AgentRequestFailed({
      method,
      code: -32000,
      message: `the model "${model}" broke off with an error${words(text)}`
    }),
    true
  )
}

/** The provider itself died: its bug, which another attempt only repeats. @since 0.1.0 */
export const died = (model: string): ModelFailed =>
  new ModelFailed(
    new AgentRequestFailed({
      method,
      code: -32603,
      message: `the provider of the model "${model}" failed with an internal error; the gateway's log has the cause`
    }),
    false
  )

/**
 * How a request fails for those who use no Effect.
 *
 * @since 0.1.0
 */

import * as Patience from "./Patience.js"

/**
 * `_tag` says what it is, as docs/http.md lists it; `details` has all that the gateway told, and `status` how. Of
 * the client itself are `Unreachable` (nothing answers; `status` is 0) and `ForeignServer` (something else does).
 *
 * @since 0.1.0
 */
export class HoldfastError extends Error {
  override readonly name = "HoldfastError"
  readonly _tag: string
  readonly status: number
  readonly details: Readonly<Record<string, unknown>>

  constructor(
    error: { readonly _tag: string; readonly message: string; readonly [field: string]: unknown },
    status: number,
    options?: ErrorOptions
  ) {
    super(error.message, options)
    this._tag = error._tag
    this.status = status
    this.details = error
  }
}

/** @since 0.1.0 */
export const unreachable = (url: string, cause: unknown): HoldfastError =>
  new HoldfastError({ _tag: "Unreachable", message: `no gateway answers at ${url}` }, 0, { cause })

const parse = (text: string) => {
  try {
    const error = JSON.parse(text)
    return typeof error?._tag === "string" && typeof error.message === "string" ? error : undefined
  } catch {
    return undefined
  }
}

/**
 * What a gateway says no with, and `retryAfterMillis` where it says when to come again; of another server, that it is
 * one.
 *
 * @since 0.1.0
 */
export const refusal = async (url: string, response: Response): Promise<HoldfastError> => {
  const { headers, status } = response
  const error = parse(await response.text()) ?? {
    _tag: "ForeignServer",
    message: `what answers at ${url} (${status}) is not a Holdfast gateway of this version`
  }
  const retryAfterMillis = Patience.asked(headers)
  return new HoldfastError(retryAfterMillis === 0 ? error : { retryAfterMillis, ...error }, status)
}

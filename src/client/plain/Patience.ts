/**
 * The waits of the clients that run without Effect.
 *
 * @since 0.1.0
 */
import * as Resume from "../Resume.js"

/** How long the server asks to be left alone, in milliseconds. @since 0.1.0 */
export const asked = (headers: Headers): number => Resume.retryAfter(headers.get("retry-after"), Date.now())

/** Resolves after the time, or when the signal is aborted, and leaves neither a timer nor a listener. @since 0.1.0 */
export const sleep = (millis: number, signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) return resolve()
    const end = () => {
      clearTimeout(timer)
      signal.removeEventListener("abort", end)
      resolve()
    }
    const timer = setTimeout(end, millis)
    signal.addEventListener("abort", end)
  })

/**
 * When to try again, and for how long to wait: what both forms of the client have in common. Pure, and without
 * dependencies.
 *
 * @since 0.1.0
 */

/**
 * A gateway that says nothing for three heartbeats is gone, whatever the socket believes. In milliseconds.
 *
 * @since 0.1.0
 */
export const idle = 30_000

const first = 250
const longest = 5_000
/** However long a proxy says. */
const longestAsked = 5 * 60_000

/**
 * The wait before attempt `failures + 1`, in milliseconds: exponential, capped, and with jitter over its upper half, so
 * that the clients of a gateway that was restarted do not all come at once. `asked` is what `Retry-After` said.
 *
 * @since 0.1.0
 */
export const wait = (failures: number, random: number, asked: number): number =>
  Math.min(asked, longestAsked) + Math.min(first * 2 ** Math.min(failures, 10), longest) * (1 + random) / 2

/**
 * `Retry-After`, seconds or a date, as milliseconds from `now`; 0 when it is missing or makes no sense.
 *
 * @since 0.1.0
 */
export const retryAfter = (header: string | null | undefined, now: number): number => {
  if (header === null || header === undefined) return 0
  const millis = /^\d+$/.test(header.trim()) ? Number(header) * 1000 : Date.parse(header) - now
  return Number.isNaN(millis) ? 0 : Math.max(0, millis)
}

/**
 * Whether the same request may be answered otherwise in a moment: the gateway is draining, its store or its limit is
 * full, or a proxy does not reach it.
 *
 * @since 0.1.0
 */
export const isPassing = (status: number): boolean => status >= 500 || status === 429 || status === 408

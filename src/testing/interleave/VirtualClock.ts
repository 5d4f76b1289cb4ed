/**
 * A clock that stands still until somebody moves it, and then goes from one timer to the next.
 *
 * `TestClock` is not it: its warning fiber sleeps on the live clock.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"

interface Timer {
  readonly at: number
  readonly fire: () => void
}

/** It starts at 0. A class, because one is made for each schedule. @since 0.1.0 */
export class VirtualClock implements Clock.Clock {
  readonly [Clock.ClockTypeId]: Clock.ClockTypeId = Clock.ClockTypeId
  private now = 0
  /** In the order in which they were set. */
  private readonly timers = new Set<Timer>()

  unsafeCurrentTimeMillis(): number {
    return this.now
  }

  unsafeCurrentTimeNanos(): bigint {
    return BigInt(Math.round(this.now * 1_000_000))
  }

  get currentTimeMillis(): Effect.Effect<number> {
    return Effect.sync(() => this.unsafeCurrentTimeMillis())
  }

  get currentTimeNanos(): Effect.Effect<bigint> {
    return Effect.sync(() => this.unsafeCurrentTimeNanos())
  }

  sleep(duration: Duration.Duration): Effect.Effect<void> {
    return Effect.async<void>((resume) => {
      const timer = { at: this.now + Duration.toMillis(duration), fire: () => resume(Effect.void) }
      this.timers.add(timer)
      return Effect.sync(() => this.timers.delete(timer))
    })
  }

  /** Whether there is a timer that ever comes. */
  get waits(): boolean {
    return this.next() < Infinity
  }

  /** Moves to the next timer and fires all that are due then. False when there is none that ever comes. */
  advance(): boolean {
    const next = this.next()
    if (next === Infinity) return false
    this.now = next
    // together: one by one, the explorer would never see them race
    for (const timer of this.timers) {
      if (timer.at > next) continue
      this.timers.delete(timer)
      timer.fire()
    }
    return true
  }

  private next(): number {
    let next = Infinity
    for (const { at } of this.timers) next = Math.min(next, at)
    return next
  }
}

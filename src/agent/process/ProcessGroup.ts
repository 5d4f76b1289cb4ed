/**
 * Ends a process with everything that it started: signals go to the whole group, and it is over when the group has no member left.
 *
 * A group lives as long as any member does: a grandchild behind `npx` keeps it after its leader has exited (AG1).
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Monotonic from "../../lifecycle/Monotonic.js"
import * as ProcessTable from "./ProcessTable.js"

/** How long the end waits after each signal. @since 0.1.0 */
export interface Grace {
  /** After SIGTERM. */
  readonly term: Duration.Duration
  /** After SIGKILL: only the kernel can make this long. */
  readonly kill: Duration.Duration
}

/** Sends a signal to every member, and tells whether there was one. */
const signal = (group: number, name: NodeJS.Signals | 0): boolean => {
  // to kill(2) 0 is the caller's own group, and 1 is every process that there is
  if (!(group > 1)) return false
  try {
    process.kill(-group, name)
    return true
  } catch {
    return false // ESRCH: no member; EPERM: on macOS only zombies are left
  }
}

const isMember = (group: number) => (entry: ProcessTable.Entry | undefined) =>
  entry !== undefined && entry.group === group && !entry.zombie

/** Whether a member still runs. @since 0.1.0 */
export const isAlive = (group: number): boolean =>
  signal(group, 0) &&
  // an orphan that nobody reaps (a container whose first process does not) stays in its group for ever, as a zombie
  (process.platform !== "linux" || isMember(group)(ProcessTable.entry(group)) ||
    // only for a group that has lost its leader: a thousand may be asked for at once
    ProcessTable.entries().some(isMember(group)))

/** Waits until no member runs; `false` if one still does after `within`. @since 0.1.0 */
export const awaitGone = Effect.fnUntraced(function*(group: number, within: Duration.Duration) {
  const deadline = (yield* Monotonic.now) + Duration.toMillis(within)
  for (let pause = 2; isAlive(group); pause = Math.min(pause * 2, 50)) {
    if ((yield* Monotonic.now) >= deadline) return false
    yield* Effect.sleep(pause)
  }
  return true
})

/**
 * SIGTERM, a wait, SIGKILL, a wait. Tells whether the group is gone; it never fails and its time is bounded.
 *
 * @since 0.1.0
 */
export const end = Effect.fnUntraced(function*(group: number, grace: Grace) {
  if (!isAlive(group)) return true
  signal(group, "SIGTERM")
  if (yield* awaitGone(group, grace.term)) return true
  signal(group, "SIGKILL")
  return yield* awaitGone(group, grace.kill)
})

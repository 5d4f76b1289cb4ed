/**
 * The state machine of one key's restarts: what is remembered, and what an event makes of it. Pure: time and chance come with the event.
 *
 * ```text
 *                    asked                       succeeded                      settle has passed
 *            Idle ───────────▶ Running ─────────────────────▶ Settling ──────────────────────────▶ Idle
 *             ▲                 │ │ ▲ ▲  requested, changed, ◀──┘
 *             │  its delay has  │ │ │ │  or what is pending
 *             │  passed         │ │ │ └────────────────── BackingOff ◀─┐ failed
 *             └─────────────────│─│─│──────────────────────┘           │
 *                               │ └─│──────────────────────────────────┘
 *                               │   └── requested, or cooled: one trial ── Open ◀─┐ failed too often
 *                               └───────────────────────────────────────────────┘
 * ```
 *
 * Two batches of requests at most have no outcome yet: the one that the running cycle covers and the one that is pending. Whoever asks
 * is covered by one of them, or by the cycle that has just succeeded (`settled`), or is refused.
 *
 * @since 0.1.0
 */
import type * as Arr from "effect/Array"
import type { Rules } from "./RestartPolicy.js"

/**
 * Why a key is restarted.
 *
 * - `changed`: its inputs changed. It needs a cycle that starts later.
 * - `requested`: a person asked. As `changed`, and it waits for no back-off and closes the circuit.
 * - `failed`: it looks dead. A cycle that runs, or that has succeeded within `settle`, covers it already (RC9).
 *
 * @since 0.1.0
 */
export type Cause = "changed" | "requested" | "failed"

/** The requests that one cycle answers. @since 0.1.0 */
export interface Covered {
  /** Each cause once, the strongest first: `requested`, `changed`, `failed`. */
  readonly causes: Arr.NonEmptyReadonlyArray<Cause>
  /** How many asked. */
  readonly requests: number
}

/**
 * What a key is at. Times are in milliseconds since the epoch, by a clock that never goes back.
 *
 * @since 0.1.0
 */
export type State =
  /** Nothing runs, and nothing will. */
  | { readonly _tag: "Idle" }
  /** A cycle runs; `pending` is what the next one, which starts when this one ends, will cover. */
  | {
    readonly _tag: "Running"
    readonly causes: Arr.NonEmptyReadonlyArray<Cause>
    readonly since: number
    readonly pending?: Covered
  }
  /** A cycle has succeeded; until `until` it covers each `failed`. */
  | { readonly _tag: "Settling"; readonly until: number }
  /** The last `attempt` cycles have failed; what is pending starts at `until`. */
  | { readonly _tag: "BackingOff"; readonly until: number; readonly attempt: number; readonly pending?: Covered }
  /** The circuit is open: too many cycles have failed. What was accepted before starts at `until`. */
  | { readonly _tag: "Open"; readonly until: number; readonly pending?: Covered }

/** @since 0.1.0 */
export const idle: State = { _tag: "Idle" }

/**
 * All that is remembered of a key. A key of which nothing is remembered is idle (RC7).
 *
 * @since 0.1.0
 */
export interface Memory {
  readonly state: State
  /** When something happens by itself, be it only that the key is forgotten. */
  readonly deadline?: number
  /** When its cycles failed, the last `intensity.max + 1` of them, the oldest first. */
  readonly failures: ReadonlyArray<number>
  /** How many cycles have failed in a row. */
  readonly attempt: number
  /** The circuit has cooled down, and the next cycle decides whether it closes. */
  readonly trial: boolean
  /** The running cycle has been told to end, and whether the key is to be forgotten then. */
  readonly leaving?: "cancelled" | "forgotten"
}

/** @since 0.1.0 */
export type Event =
  | { readonly _tag: "Asked"; readonly cause: Cause }
  /** The running cycle has ended. `chance` is in [0, 1), for the jitter. */
  | { readonly _tag: "Ended"; readonly succeeded: boolean; readonly chance: number }
  /** Time has passed. */
  | { readonly _tag: "Passed" }
  /** End the cycle that runs. */
  | { readonly _tag: "Cancelled" }
  /** End the cycle that runs, and give up what is pending. */
  | { readonly _tag: "Forgotten" }

/** @since 0.1.0 */
export type Action =
  /** The one who asked gets the outcome of that batch. `fresh`: it is the first of its batch. */
  | { readonly _tag: "Cover"; readonly by: "running" | "pending" | "settled"; readonly fresh: boolean }
  /** The one who asked is refused: the circuit is open. */
  | { readonly _tag: "Refuse"; readonly failures: number; readonly until: number }
  /** The pending batch becomes the running one. */
  | { readonly _tag: "Start"; readonly covered: Covered }
  /** The running cycle is told to end. */
  | { readonly _tag: "Interrupt" }
  /** The pending batch is given up. */
  | { readonly _tag: "Drop" }

/** @since 0.1.0 */
export interface Step {
  readonly memory: Memory | undefined
  readonly actions: ReadonlyArray<Action>
}

const strength: ReadonlyArray<Cause> = ["requested", "changed", "failed"]

const add = (covered: Covered | undefined, cause: Cause): Covered => {
  if (covered === undefined) return { causes: [cause], requests: 1 }
  const { causes, requests } = covered
  if (causes.includes(cause)) return { causes, requests: requests + 1 }
  const [first, ...rest] = strength.filter((each) => each === cause || causes.includes(each))
  return { causes: first === undefined ? causes : [first, ...rest], requests: requests + 1 }
}

const personAsked = (covered: Covered | undefined) => covered !== undefined && covered.causes[0] === "requested"

const nothing: ReadonlyArray<Action> = []
const coveredBy = {
  running: [{ _tag: "Cover", by: "running", fresh: false }],
  settled: [{ _tag: "Cover", by: "settled", fresh: false }],
  pending: [{ _tag: "Cover", by: "pending", fresh: false }],
  first: [{ _tag: "Cover", by: "pending", fresh: true }]
} satisfies Record<string, ReadonlyArray<Action>>

/** What a key has behind it that the next cycles are judged by. */
type Past = Pick<Memory, "failures" | "attempt" | "trial">

const clean: Past = { failures: [], attempt: 0, trial: false }

const start = (past: Past, covered: Covered, now: number, before: ReadonlyArray<Action>): Step => ({
  memory: {
    state: { _tag: "Running", causes: covered.causes, since: now },
    failures: past.failures,
    attempt: past.attempt,
    trial: past.trial
  },
  actions: [...before, { _tag: "Start", covered }]
})

const wait = (state: Extract<State, { readonly until: number }>, past: Past): Memory => ({
  state,
  deadline: state.until,
  failures: past.failures,
  attempt: past.attempt,
  trial: past.trial
})

/** Nothing to do. Failures are kept in mind until `deadline`, and then the key keeps no memory (RC7). */
const rest = (past: Past, deadline: number, now: number): Memory | undefined =>
  past.failures.length === 0 || deadline <= now ? undefined : {
    state: idle,
    deadline,
    failures: past.failures,
    attempt: past.attempt,
    trial: past.trial
  }

const lastFailure = (past: Past) => past.failures[past.failures.length - 1] ?? -Infinity

const withPending = <S extends Extract<State, { readonly pending?: Covered }>>(
  memory: Memory,
  state: S,
  cause: Cause
): Step => ({
  memory: { ...memory, state: { ...state, pending: add(state.pending, cause) } },
  actions: state.pending === undefined ? coveredBy.first : coveredBy.pending
})

/** What is remembered now, whether or not somebody has looked since it was due; what is pending then is so still. */
const current = (rules: Rules, memory: Memory | undefined, now: number): Memory | undefined => {
  if (memory === undefined) return undefined
  const { actions, memory: after } = passed(rules, memory, now)
  return actions.length > 0 ? memory : after
}

const asked = (rules: Rules, before: Memory | undefined, cause: Cause, now: number): Step => {
  const memory = current(rules, before, now)
  if (memory === undefined) return start(clean, add(undefined, cause), now, coveredBy.first)
  const { state } = memory
  switch (state._tag) {
    case "Running":
      // RC9: the agent that boots is not killed by its own health probe
      return cause === "failed" ? { memory, actions: coveredBy.running } : withPending(memory, state, cause)
    case "Settling":
      return cause === "failed"
        ? { memory, actions: coveredBy.settled }
        : start(memory, add(undefined, cause), now, coveredBy.first)
    case "BackingOff":
      return now < state.until && cause !== "requested"
        ? withPending(memory, state, cause)
        : start(
          memory,
          add(state.pending, cause),
          now,
          state.pending === undefined ? coveredBy.first : coveredBy.pending
        )
    case "Open": {
      if (now < state.until && cause !== "requested") {
        const refuse: Action = { _tag: "Refuse", failures: memory.failures.length, until: state.until }
        return { memory, actions: [refuse] }
      }
      return start(
        // a person closes the circuit; one that has cooled is tried once
        cause === "requested" ? clean : { ...memory, trial: true },
        add(state.pending, cause),
        now,
        state.pending === undefined ? coveredBy.first : coveredBy.pending
      )
    }
    case "Idle":
      return start(
        // a person closes the circuit, also one that has cooled and waits for its trial
        memory.trial && cause === "requested" ? clean : memory,
        add(undefined, cause),
        now,
        coveredBy.first
      )
  }
}

const failed = (rules: Rules, memory: Memory, pending: Covered | undefined, chance: number, now: number): Step => {
  const { backoff, coolDown, intensity } = rules
  const past: Past = {
    failures: [...memory.failures, now].slice(-(intensity.max + 1)),
    attempt: memory.attempt + 1,
    trial: memory.trial
  }
  const counted = past.failures.filter((at) => now - at <= intensity.within).length
  const open = past.trial || counted > intensity.max
  // a person does not wait, and closes the circuit that would open here
  if (pending !== undefined && personAsked(pending)) return start(open ? clean : past, pending, now, nothing)
  const kept = pending === undefined ? {} : { pending }
  if (open) return passed(rules, wait({ _tag: "Open", until: now + coolDown, ...kept }, past), now)
  // full jitter under the cap; whole milliseconds, because a timer has no others
  const ceiling = Math.min(backoff.cap, backoff.base * backoff.factor ** memory.attempt)
  const until = now + Math.ceil(chance * ceiling)
  return passed(rules, wait({ _tag: "BackingOff", until, attempt: past.attempt, ...kept }, past), now)
}

const ended = (rules: Rules, memory: Memory, succeeded: boolean, chance: number, now: number): Step => {
  const { leaving, state } = memory
  if (state._tag !== "Running") return { memory, actions: nothing }
  const { pending } = state
  if (!succeeded && leaving === undefined) return failed(rules, memory, pending, chance, now)
  const past: Past = leaving === "forgotten" ? clean : !succeeded ? memory : {
    // a trial that succeeds closes the circuit
    failures: memory.trial ? [] : memory.failures,
    attempt: 0,
    trial: false
  }
  // RC2: leaving "running" and seeing "nothing pending" are this one step, whatever the cycle's end was
  if (pending !== undefined) return start(past, pending, now, nothing)
  return succeeded && leaving !== "forgotten" && rules.settle > 0
    ? { memory: wait({ _tag: "Settling", until: now + rules.settle }, past), actions: nothing }
    : { memory: rest(past, (succeeded ? lastFailure(past) : now) + rules.intensity.within, now), actions: nothing }
}

const passed = (rules: Rules, memory: Memory, now: number): Step => {
  const { deadline, state } = memory
  if (deadline === undefined || now < deadline) return { memory, actions: nothing }
  switch (state._tag) {
    case "Running":
      return { memory, actions: nothing }
    case "Idle":
      return { memory: undefined, actions: nothing }
    case "Settling":
      return { memory: rest(memory, lastFailure(memory) + rules.intensity.within, now), actions: nothing }
    case "BackingOff":
    case "Open": {
      const past: Past = state._tag === "Open" ? { ...memory, trial: true } : memory
      return state.pending === undefined
        ? { memory: rest(past, state.until + rules.intensity.within, now), actions: nothing }
        : start(past, state.pending, now, nothing)
    }
  }
}

const left = (memory: Memory, leaving: "cancelled" | "forgotten"): Step => {
  const { state } = memory
  if (leaving === "cancelled") {
    return state._tag !== "Running" || memory.leaving !== undefined
      ? { memory, actions: nothing }
      : { memory: { ...memory, leaving }, actions: [{ _tag: "Interrupt" }] }
  }
  const drop: ReadonlyArray<Action> = "pending" in state ? [{ _tag: "Drop" }] : nothing
  return state._tag !== "Running" ? { memory: undefined, actions: drop } : {
    // RC1: what is asked for from here on starts when this cycle is gone
    memory: { ...memory, state: { _tag: "Running", causes: state.causes, since: state.since }, leaving },
    actions: [...drop, { _tag: "Interrupt" }]
  }
}

/**
 * What an event makes of a key, at a time that is not before the last one.
 *
 * @since 0.1.0
 */
export const transition = (rules: Rules, memory: Memory | undefined, event: Event, now: number): Step => {
  if (event._tag === "Asked") return asked(rules, memory, event.cause, now)
  if (memory === undefined) return { memory, actions: nothing }
  switch (event._tag) {
    case "Ended":
      return ended(rules, memory, event.succeeded, event.chance, now)
    case "Passed":
      return passed(rules, memory, now)
    case "Cancelled":
      return left(memory, "cancelled")
    case "Forgotten":
      return left(memory, "forgotten")
  }
}

/**
 * What a key is at, also when its deadline has passed and nobody has looked since.
 *
 * @since 0.1.0
 */
export const view = (rules: Rules, memory: Memory | undefined, now: number): State =>
  current(rules, memory, now)?.state ?? idle

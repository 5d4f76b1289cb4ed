import { describe, expect, it } from "@effect/vitest"
import * as FastCheck from "effect/FastCheck"
import { type Rules, unsafeRules } from "../../../src/lifecycle/restart/RestartPolicy.js"
import type { Action, Cause, Event, Memory, State } from "../../../src/lifecycle/restart/RestartState.js"
import { transition, view } from "../../../src/lifecycle/restart/RestartState.js"
import "../../seed.js"

/** One key, driven by hand; time stands still unless it is told to pass. */
const key = (rules: Rules) => {
  let memory: Memory | undefined
  let now = 1_000_000
  const apply = (event: Event): ReadonlyArray<Action> => {
    const step = transition(rules, memory, event, now)
    memory = step.memory
    return step.actions
  }
  return {
    ask: (cause: Cause) => apply({ _tag: "Asked", cause }),
    end: (succeeded: boolean, chance = 0.5) => apply({ _tag: "Ended", succeeded, chance }),
    cancel: () => apply({ _tag: "Cancelled" }),
    forget: () => apply({ _tag: "Forgotten" }),
    pass: (millis: number) => {
      now += millis
      return apply({ _tag: "Passed" })
    },
    /** Time goes by, and nobody has looked yet. */
    late: (millis: number) => void (now += millis),
    /** As others see it, with times as what is left. */
    get state() {
      const state: State = view(rules, memory, now)
      return "until" in state ? { ...state, until: state.until - now } : state
    },
    get memory() {
      return memory
    }
  }
}

const rules = unsafeRules({
  settle: 100,
  backoff: { base: 1000, factor: 2, cap: 5000 },
  intensity: { max: 3, within: 60_000 },
  coolDown: 20_000
})

const names = (actions: ReadonlyArray<Action>) =>
  actions.map((action) => action._tag === "Cover" ? `covered by ${action.by}` : action._tag)

const starts = (actions: ReadonlyArray<Action>) => actions.flatMap((a) => a._tag === "Start" ? [a.covered] : [])

/** A key whose last `n` cycles failed, and whose back-off has passed. */
const failing = (n: number) => {
  const k = key(rules)
  for (let i = 0; i < n; i++) {
    k.ask("requested")
    k.end(false, 0)
  }
  return k
}

describe("RestartState", () => {
  it("RC2 the first request starts a cycle, whatever its cause", () => {
    for (const cause of ["changed", "requested", "failed"] as const) {
      const k = key(rules)
      expect(k.ask(cause)).toEqual([
        { _tag: "Cover", by: "pending", fresh: true },
        { _tag: "Start", covered: { causes: [cause], requests: 1 } }
      ])
      expect(k.state).toEqual({ _tag: "Running", causes: [cause], since: 1_000_000 })
    }
  })

  it("RC3 what comes while a cycle runs shares the next one, its causes told once and the strongest first", () => {
    const k = key(rules)
    k.ask("failed")
    expect(names(k.ask("changed"))).toEqual(["covered by pending"])
    expect(names(k.ask("changed"))).toEqual(["covered by pending"])
    expect(names(k.ask("requested"))).toEqual(["covered by pending"])
    expect(k.state).toMatchObject({ pending: { causes: ["requested", "changed"], requests: 3 } })
    expect(starts(k.end(true))).toEqual([{ causes: ["requested", "changed"], requests: 3 }])
    expect(k.end(true)).toEqual([])
    expect(k.state._tag).toBe("Settling")
  })

  it("RC2 what is pending starts when the cycle fails or is cancelled: a person's request at once, a change after the back-off", () => {
    const person = key(rules)
    person.ask("changed")
    person.ask("requested")
    expect(names(person.end(false))).toEqual(["Start"])

    const change = key(rules)
    change.ask("changed")
    change.ask("changed")
    expect(names(change.end(false))).toEqual([])
    expect(change.state).toEqual({
      _tag: "BackingOff",
      until: 500,
      attempt: 1,
      pending: { causes: ["changed"], requests: 1 }
    })
    expect(change.pass(499)).toEqual([])
    expect(names(change.pass(1))).toEqual(["Start"])

    const cancelled = key(rules)
    cancelled.ask("changed")
    cancelled.ask("changed")
    expect(names(cancelled.cancel())).toEqual(["Interrupt"])
    expect(names(cancelled.cancel())).toEqual([])
    expect(names(cancelled.end(false))).toEqual(["Start"])
  })

  it("RC9 a failure is covered by the cycle that runs, and by one that has succeeded within settle", () => {
    const k = key(rules)
    k.ask("changed")
    expect(names(k.ask("failed"))).toEqual(["covered by running"])
    k.end(true)
    k.pass(99)
    expect(names(k.ask("failed"))).toEqual(["covered by settled"])
    k.late(1)
    expect(names(k.ask("failed"))).toEqual(["covered by pending", "Start"])
  })

  it("RC9 what settles starts again for a change and for a person", () => {
    for (const cause of ["changed", "requested"] as const) {
      const k = key(rules)
      k.ask("failed")
      k.end(true)
      expect(names(k.ask(cause))).toEqual(["covered by pending", "Start"])
    }
  })

  it("RC9 a cycle that failed covers nothing", () => {
    const k = key(rules)
    k.ask("changed")
    k.end(false, 0)
    expect(names(k.ask("failed"))).toEqual(["covered by pending", "Start"])
  })

  it("RC8 failures and changes that come during the back-off wait for its end and share one cycle", () => {
    const k = key(rules)
    k.ask("changed")
    k.end(false)
    expect(names(k.ask("failed"))).toEqual(["covered by pending"])
    expect(names(k.ask("changed"))).toEqual(["covered by pending"])
    expect(starts(k.pass(500))).toEqual([{ causes: ["changed", "failed"], requests: 2 }])
  })

  it("RC8 a person who asks during the back-off starts at once what waits", () => {
    const k = key(rules)
    k.ask("changed")
    k.end(false)
    k.ask("failed")
    expect(starts(k.ask("requested"))).toEqual([{ causes: ["requested", "failed"], requests: 2 }])
  })

  it("RC8 one that asks when the back-off has passed, and before it was noticed, shares the cycle of what waits", () => {
    const k = key(rules)
    k.ask("changed")
    k.end(false)
    k.ask("changed")
    k.late(500)
    expect(starts(k.ask("changed"))).toEqual([{ causes: ["changed"], requests: 2 }])
  })

  it("RC8 the back-off doubles under its cap, is jittered in full, and starts anew after a success", () => {
    const tolerant = { ...rules, intensity: { max: 100, within: 60_000 } }
    const k = key(tolerant)
    const delays: Array<number> = []
    for (let i = 0; i < 5; i++) {
      k.ask("requested")
      k.end(false, 1)
      delays.push("until" in k.state ? k.state.until : 0)
    }
    expect(delays).toEqual([1000, 2000, 4000, 5000, 5000])
    k.ask("requested")
    k.end(false, 0.25)
    expect(k.state).toMatchObject({ until: 1250, attempt: 6 })
    k.ask("requested")
    k.end(true)
    k.ask("requested")
    k.end(false, 1)
    expect(k.state).toMatchObject({ until: 1000, attempt: 1 })
  })

  it("RC8 attempts are counted on when the key is asked for after its back-off has passed", () => {
    const k = key(rules)
    k.ask("failed")
    k.end(false, 1)
    k.pass(1000)
    expect(k.state._tag).toBe("Idle")
    k.ask("failed")
    k.end(false, 1)
    expect(k.state).toMatchObject({ _tag: "BackingOff", until: 2000, attempt: 2 })
  })

  it("RC8 more than max failures within the time open the circuit: failures and changes are refused", () => {
    const k = failing(3)
    expect(k.state._tag).toBe("Idle")
    k.ask("failed")
    expect(k.end(false, 0)).toEqual([])
    expect(k.state).toEqual({ _tag: "Open", until: 20_000 })
    k.late(5000)
    for (const cause of ["failed", "changed"] as const) {
      expect(k.ask(cause)).toEqual([{ _tag: "Refuse", failures: 4, until: 1_020_000 }])
    }
  })

  it("RC8 failures that lie further back do not count", () => {
    const k = key(rules)
    // never more than three in a minute, and never long enough apart to be forgotten
    for (let i = 0; i < 10; i++) {
      expect(names(k.ask("failed"))).toEqual(["covered by pending", "Start"])
      k.end(false, 0)
      expect(k.state._tag).toBe("Idle")
      k.pass(20_001)
    }
    expect(k.memory?.failures).toHaveLength(4)
  })

  it("RC8 failures between successes count", () => {
    const k = key(rules)
    for (let i = 0; i < 3; i++) {
      k.ask("changed")
      k.end(true)
      k.ask("changed")
      k.end(false, 0)
      expect(k.state._tag).toBe("Idle")
    }
    k.ask("changed")
    k.end(true)
    k.ask("changed")
    k.end(false, 0)
    expect(k.state._tag).toBe("Open")
  })

  it("RC8 a trial that fails opens the circuit, however long ago the other failures are", () => {
    const k = key({ ...rules, coolDown: 120_000 })
    for (let i = 0; i < 4; i++) {
      k.ask("failed")
      k.end(false, 0)
    }
    k.pass(120_000)
    k.ask("failed")
    k.end(false, 0)
    expect(k.state).toEqual({ _tag: "Open", until: 120_000 })
  })

  it("RC8 a person closes the circuit, and the failures before are forgiven", () => {
    const k = failing(3)
    k.ask("failed")
    k.end(false, 0)
    expect(names(k.ask("requested"))).toEqual(["covered by pending", "Start"])
    k.end(false, 0)
    expect(names(k.ask("failed"))).toEqual(["covered by pending", "Start"])
  })

  it("RC7 RC8 what is forgotten by now does not count, whether or not anybody has looked since", () => {
    for (const noticed of [true, false]) {
      const k = key({ ...rules, intensity: { max: 1, within: 20_000 } })
      k.ask("changed")
      k.end(false, 0)
      k.ask("changed")
      k.end(true)
      if (noticed) k.pass(20_000)
      else k.late(20_000)
      k.ask("changed")
      k.end(false, 0)
      expect(k.state._tag).not.toBe("Open")
    }
  })

  it("RC8 a person closes a circuit that has cooled, too: what fails then is no trial", () => {
    const k = failing(3)
    k.ask("failed")
    k.end(false, 0)
    k.pass(20_000)
    k.ask("requested")
    k.end(false, 0)
    expect(k.state._tag).toBe("Idle")
  })

  it("RC8 a person who has asked while the cycle ran that would open the circuit is not kept waiting", () => {
    const k = failing(3)
    k.ask("failed")
    k.ask("requested")
    expect(names(k.end(false, 0))).toEqual(["Start"])
    k.end(false, 0)
    expect(k.state._tag).toBe("Idle")
  })

  it("RC8 after cooling one trial decides: a success closes the circuit, a failure opens it again", () => {
    const bad = failing(3)
    bad.ask("failed")
    bad.end(false, 0)
    bad.pass(20_000)
    expect(names(bad.ask("failed"))).toEqual(["covered by pending", "Start"])
    bad.end(false, 0)
    expect(bad.state).toEqual({ _tag: "Open", until: 20_000 })

    const good = failing(3)
    good.ask("failed")
    good.end(false, 0)
    good.late(20_000)
    good.ask("changed")
    good.end(true)
    good.pass(100)
    expect(good.state._tag).toBe("Idle")
    good.ask("changed")
    good.end(false, 0)
    expect(good.state._tag).toBe("Idle")
  })

  it("RC2 what was accepted before the circuit opened starts when it has cooled, or when a person asks", () => {
    const opened = () => {
      const k = failing(3)
      k.ask("failed")
      k.ask("changed")
      k.end(false, 0)
      expect(k.state).toEqual({ _tag: "Open", until: 20_000, pending: { causes: ["changed"], requests: 1 } })
      return k
    }
    const patient = opened()
    expect(patient.pass(19_999)).toEqual([])
    expect(starts(patient.pass(1))).toEqual([{ causes: ["changed"], requests: 1 }])
    patient.end(false, 0)
    expect(patient.state._tag).toBe("Open")
    expect(starts(opened().ask("requested"))).toEqual([{ causes: ["requested", "changed"], requests: 2 }])
  })

  it("RC7 a key at rest keeps no memory", () => {
    const settled = key(rules)
    settled.ask("failed")
    settled.end(true)
    settled.pass(100)
    expect(settled.memory).toBeUndefined()

    const cancelled = key(rules)
    cancelled.ask("failed")
    cancelled.cancel()
    cancelled.end(false)
    expect(cancelled.memory).toBeUndefined()

    const failed = key(rules)
    failed.ask("failed")
    failed.end(false, 1)
    failed.pass(1000)
    expect(failed.state._tag).toBe("Idle")
    expect(failed.memory).toBeDefined()
    failed.pass(60_000)
    expect(failed.memory).toBeUndefined()

    const open = failing(3)
    open.ask("failed")
    open.end(false, 0)
    open.pass(20_000)
    expect(open.state._tag).toBe("Idle")
    open.pass(60_000)
    expect(open.memory).toBeUndefined()
  })

  it("RC7 without settle a success leaves nothing", () => {
    const k = key({ ...rules, settle: 0 })
    k.ask("failed")
    k.end(true)
    expect(k.memory).toBeUndefined()
  })

  it("a cycle that was cancelled is no failure, and one that succeeds all the same has succeeded", () => {
    const k = failing(3)
    k.ask("failed")
    k.cancel()
    k.end(false, 1)
    expect(k.state._tag).toBe("Idle")
    k.ask("changed")
    k.cancel()
    k.end(true)
    expect(k.state._tag).toBe("Settling")
  })

  it("RC1 a key that is forgotten gives up what waits, and starts again only when its cycle is gone", () => {
    const k = failing(2)
    k.ask("changed")
    k.ask("changed")
    expect(names(k.forget())).toEqual(["Drop", "Interrupt"])
    expect(names(k.ask("changed"))).toEqual(["covered by pending"])
    expect(starts(k.end(false))).toEqual([{ causes: ["changed"], requests: 1 }])
    expect(k.memory?.failures).toEqual([])
    expect(names(k.forget())).toEqual(["Interrupt"])
    k.end(true)
    expect(k.memory).toBeUndefined()
  })

  it("a key that is forgotten while it waits is gone at once", () => {
    const k = key(rules)
    k.ask("changed")
    k.ask("changed")
    k.end(false)
    expect(names(k.forget())).toEqual(["Drop"])
    expect(k.memory).toBeUndefined()
  })

  it("events that do not fit are ignored", () => {
    const k = key(rules)
    expect([k.end(true), k.cancel(), k.forget(), k.pass(1)]).toEqual([[], [], [], []])
    k.ask("changed")
    k.end(false)
    const before = k.memory
    expect([k.end(true), k.cancel()]).toEqual([[], []])
    expect(k.memory).toBe(before)
  })
})

// ------------------------------------------------------------------------------------------ random events

type Command =
  | { readonly _tag: "ask"; readonly cause: Cause }
  | { readonly _tag: "end"; readonly succeeded: boolean; readonly chance: number }
  | { readonly _tag: "pass"; readonly millis: number; readonly noticed: boolean }
  | { readonly _tag: "cancel" }
  | { readonly _tag: "forget" }

const command: FastCheck.Arbitrary<Command> = FastCheck.oneof(
  {
    weight: 6,
    arbitrary: FastCheck.constantFrom<Cause>("changed", "requested", "failed").map((cause) => ({
      _tag: "ask" as const,
      cause
    }))
  },
  {
    weight: 4,
    arbitrary: FastCheck.record({
      succeeded: FastCheck.boolean(),
      chance: FastCheck.constantFrom(0, 0.3, 0.99)
    }).map((it) => ({ _tag: "end" as const, ...it }))
  },
  {
    weight: 3,
    arbitrary: FastCheck.record({
      millis: FastCheck.constantFrom(1, 50, 100, 700, 5_000, 20_000, 40_000, 60_000),
      noticed: FastCheck.boolean()
    }).map((it) => ({ _tag: "pass" as const, ...it }))
  },
  { weight: 1, arbitrary: FastCheck.constant({ _tag: "cancel" as const }) },
  { weight: 1, arbitrary: FastCheck.constant({ _tag: "forget" as const }) }
)

/** Long ones: without `size` none is longer than ten or so. */
const commands = FastCheck.array(command, { maxLength: 100, size: "max" })

/**
 * The promises themselves, and no machine: lists of requests, and times to compare with. What it says of a request is what the machine has to
 * say; which batch a request is in, and when cycles start, it derives from the promises alone.
 */
const promised = (rules: Rules) => {
  let now = 0
  let running: { readonly requests: Array<number>; trial: boolean; leaving: boolean; forgotten: boolean } | undefined
  let waiting: Array<{ readonly id: number; readonly cause: Cause }> = []
  /** Requests cannot start before it, unless a person asks. */
  let heldUntil = 0
  let openUntil = 0
  let tripped = false
  let settledUntil = 0
  let streak = 0
  let failures: Array<number> = []
  /** After this time without a failure, what failed is forgotten. */
  let mindUntil = 0

  const begin = () => {
    running = { requests: waiting.map(({ id }) => id), trial: tripped, leaving: false, forgotten: false }
    waiting = []
    settledUntil = heldUntil = openUntil = 0
  }
  const forgive = () => {
    failures = []
    streak = 0
    tripped = false
  }
  const due = () => {
    if (running !== undefined) return
    if (now >= mindUntil && now >= heldUntil && now >= openUntil && now >= settledUntil && waiting.length === 0) {
      forgive()
    }
    if (waiting.length > 0 && now >= heldUntil && now >= openUntil) begin()
  }
  return {
    pass: (millis: number, noticed: boolean) => {
      now += millis
      if (noticed) due()
    },
    ask: (id: number, cause: Cause): "refused" | "running" | "settled" | "waits" | "starts" => {
      if (running === undefined && waiting.length === 0) due()
      if (running !== undefined) {
        if (cause === "failed") return "running"
        waiting.push({ id, cause })
        return "waits"
      }
      if (cause === "failed" && now < settledUntil) return "settled"
      if (cause !== "requested" && now < openUntil) return "refused"
      if (cause === "requested" && now < openUntil) forgive()
      if (cause === "requested" && tripped) forgive()
      waiting.push({ id, cause })
      if (cause !== "requested" && now < heldUntil) return "waits"
      begin()
      return "starts"
    },
    end: (succeeded: boolean, chance: number) => {
      if (running === undefined) return
      const { forgotten, leaving, trial } = running
      running = undefined
      if (forgotten) {
        forgive()
        mindUntil = 0
      } else if (succeeded) {
        if (trial) forgive()
        streak = 0
        tripped = false
        mindUntil = (failures.at(-1) ?? -Infinity) + rules.intensity.within
        if (waiting.length === 0) settledUntil = now + rules.settle
      } else if (leaving) {
        mindUntil = now + rules.intensity.within
      } else {
        failures.push(now)
        const counted = failures.slice(-(rules.intensity.max + 1)).filter((at) =>
          at >= now - rules.intensity.within
        ).length
        const person = waiting.some(({ cause }) => cause === "requested")
        const opens = trial || counted > rules.intensity.max
        if (opens && person) forgive()
        else if (opens) {
          tripped = true
          streak++
          openUntil = now + rules.coolDown
          mindUntil = openUntil + rules.intensity.within
          return due()
        } else {
          heldUntil = now +
            Math.ceil(chance * Math.min(rules.backoff.cap, rules.backoff.base * rules.backoff.factor ** streak))
          mindUntil = heldUntil + rules.intensity.within
          streak++
          if (!person) return due()
        }
      }
      if (waiting.length > 0) begin()
    },
    cancel: () => {
      if (running !== undefined) running.leaving = true
    },
    forget: () => {
      waiting = []
      if (running !== undefined) running.leaving = running.forgotten = true
      else {
        forgive()
        heldUntil =
          openUntil =
          settledUntil =
          mindUntil =
            0
      }
    },
    get waiting() {
      return waiting.map(({ id }) => id)
    },
    get running() {
      return running?.requests
    }
  }
}

/** Runs the machine and follows its actions as the shell does, with a list of requests for each batch. */
const replay = (rules: Rules, commands: ReadonlyArray<Command>) => {
  const model = promised(rules)
  let memory: Memory | undefined
  let now = 0
  let pending: Array<number> = []
  let running: Array<number> | undefined
  let cycles = 0
  /** What each accepted request needs, and what became of it. */
  const accepted: Array<
    { readonly id: number; readonly cause: Cause; readonly after: number; by: number | "dropped" | undefined }
  > = []
  const by = (id: number) => accepted.find((request) => request.id === id)

  const apply = (event: Event, id = -1) => {
    const step = transition(rules, memory, event, now)
    memory = step.memory
    let reply: "refused" | "running" | "settled" | "waits" | "starts" | undefined
    for (const action of step.actions) {
      switch (action._tag) {
        case "Cover":
          if (event._tag !== "Asked") throw new Error("nobody asked")
          accepted.push({ id, cause: event.cause, after: cycles, by: action.by === "pending" ? undefined : cycles })
          if (action.by === "pending") {
            expect(action.fresh).toBe(pending.length === 0)
            pending.push(id)
            reply = "waits"
          } else {
            reply = action.by
            // RC9 and RC2: only what looks dead may be covered by a cycle that has started before
            expect(event.cause).toBe("failed")
          }
          break
        case "Start":
          expect(running).toBeUndefined() // RC1
          expect(action.covered.requests).toBe(pending.length)
          running = pending
          pending = []
          cycles++
          for (const request of running) {
            const who = by(request)
            if (who !== undefined) who.by = cycles
          }
          if (reply === "waits") reply = "starts"
          break
        case "Drop":
          for (const request of pending) {
            const who = by(request)
            if (who !== undefined) who.by = "dropped"
          }
          pending = []
          break
        case "Refuse":
          reply = "refused"
          break
        case "Interrupt":
          expect(running).toBeDefined()
          break
      }
    }
    return reply
  }

  const agree = () => {
    expect(pending).toEqual(model.waiting)
    expect(running).toEqual(model.running)
    // the state tells of both
    const state = view(rules, memory, now)
    expect(state._tag === "Running").toBe(running !== undefined)
    expect("pending" in state ? state.pending?.requests : 0).toBe(pending.length)
    // RC7: without a deadline only what runs is kept, and so is nothing that is due
    if (memory !== undefined && running === undefined) expect(memory.deadline).toBeDefined()
    expect(memory?.failures.length ?? 0).toBeLessThanOrEqual(rules.intensity.max + 1)
  }

  for (const [id, command] of commands.entries()) {
    switch (command._tag) {
      case "ask":
        expect(apply({ _tag: "Asked", cause: command.cause }, id)).toBe(model.ask(id, command.cause))
        break
      case "end":
        if (running === undefined) break
        running = undefined
        apply({ _tag: "Ended", succeeded: command.succeeded, chance: command.chance })
        model.end(command.succeeded, command.chance)
        break
      case "pass":
        now += command.millis
        if (command.noticed) apply({ _tag: "Passed" })
        model.pass(command.millis, command.noticed)
        break
      case "cancel":
        apply({ _tag: "Cancelled" })
        model.cancel()
        break
      case "forget":
        apply({ _tag: "Forgotten" })
        model.forget()
        break
    }
    agree()
  }

  // RC2: let everything end, badly and then well, and nothing that was accepted is left
  for (let i = 0; i < 20 && memory !== undefined; i++) {
    if (running !== undefined) {
      running = undefined
      apply({ _tag: "Ended", succeeded: i > 3, chance: 0.5 })
    } else {
      now = memory.deadline ?? now
      apply({ _tag: "Passed" })
    }
  }
  expect(memory).toBeUndefined() // RC7
  for (const { after, by, cause } of accepted) {
    expect(by).toBeDefined()
    if (cause !== "failed" && by !== "dropped") expect(by).toBeGreaterThan(after) // RC2: a cycle that started after it
    if (typeof by === "number") expect(by).toBeLessThanOrEqual(after + 1) // RC3: and the very next one
  }
}

describe("RestartState, any events", () => {
  it("RC1 RC2 RC3 RC7 RC8 RC9 hold for any sequence of events, and the machine does what a list of requests would", () => {
    FastCheck.assert(
      FastCheck.property(commands, (events) => replay(rules, events)),
      { numRuns: 1500 }
    )
  })

  it("so they do when failures are rare, the circuit stays open for long, and time goes slowly", () => {
    const strict = unsafeRules({ ...rules, intensity: { max: 1, within: 20_000 }, coolDown: 40_000 })
    FastCheck.assert(
      FastCheck.property(commands, (events) => replay(strict, events)),
      { numRuns: 500 }
    )
  })

  it("so they do when nothing settles, backs off or cools", () => {
    const hasty = unsafeRules({ settle: 0, backoff: { base: 0 }, intensity: { max: 1, within: 100 }, coolDown: 0 })
    FastCheck.assert(
      FastCheck.property(commands, (events) => replay(hasty, events)),
      { numRuns: 500 }
    )
  })
})

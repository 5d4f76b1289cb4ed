/**
 * Runs one schedule: a `Scheduler` that asks an `Oracle` at each step which fiber goes on, and the `Supervisor` of these fibers.
 *
 * Effect's run loop tells it of every operation before it runs (`Supervisor.onEffect`), asks whether the fiber shall yield
 * (`Scheduler.shouldYield`), and hands over every resumption (`Scheduler.scheduleTask`). Nothing else decides who runs, so the
 * answers of the oracle are the schedule.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as FiberId from "effect/FiberId"
import * as FiberRef from "effect/FiberRef"
import type * as Option from "effect/Option"
import type * as Scheduler from "effect/Scheduler"
import * as Supervisor from "effect/Supervisor"
import * as Operation from "./Operation.js"
import type { Oracle } from "./Oracle.js"
import * as Thread from "./Thread.js"
import type { VirtualClock } from "./VirtualClock.js"

/** Hears what happens; only the run that explains a failure has one. @since 0.1.0 */
export interface Recorder {
  readonly forked: (thread: Thread.Thread) => void
  readonly chosen: (thread: Thread.Thread, instead: Thread.Thread | undefined) => void
  readonly step: (thread: Thread.Thread, operation: Effect.Effect<unknown, unknown, unknown>, step: number) => void
  readonly interrupted: (thread: Thread.Thread) => void
  readonly asked: (thread: Thread.Thread, label: string, answer: string) => void
  readonly ended: (thread: Thread.Thread, exit: Exit.Exit<unknown, unknown>) => void
}

/** @since 0.1.0 */
export interface Options {
  readonly oracle: Oracle
  readonly granularity: "op" | "async"
  readonly maxSteps: number
  /** At which of its steps the victim is interrupted. */
  readonly interruptAt: number | undefined
  readonly recorder?: Recorder | undefined
}

/** What was answered, side by side: the answer, out of how many, and what the answers cost. @since 0.1.0 */
export interface Answers {
  readonly chosen: Array<number>
  readonly alternatives: Array<number>
  /** `plainIsFree`, `othersAreFaults`, or a bit for each answer that preempts. */
  readonly costs: Array<number>
  /** Of what had happened when it was asked. */
  readonly hashes: Array<number>
}

/** Every answer but 0 preempts: somebody could have gone on, and does not. */
const plainIsFree = -1

/** Every answer but 0 is a fault. */
const othersAreFaults = -2

/** @since 0.1.0 */
export const isPreemption = (cost: number, answer: number): boolean =>
  cost === plainIsFree ? answer > 0 : cost > 0 && answer < 31 && (cost >> answer & 1) === 1

/** @since 0.1.0 */
export const isFault = (cost: number, answer: number): boolean => cost === othersAreFaults && answer > 0

/** As in Effect's own schedulers: not within `Effect.withMaxOpsBeforeYield(Infinity)`. */
const mayYield = (fiber: Fiber.RuntimeFiber<unknown, unknown>): boolean =>
  fiber.getFiberRef(FiberRef.currentMaxOpsBeforeYield) < Infinity

/** How often time goes on before the interruption of a waiting victim, at most: with timers that return it could for ever. */
const postponements = 4

// `shouldYield` with a number makes Effect wrap the yield in a `FiberRef` of some nine operations, each of which may be put off
// again: no progress. Without a number it yields at once
const withoutPriority: number = Reflect.get({}, "priority")

const version = Effect.void[Effect.EffectTypeId]._V

const victims = new WeakSet<object>()

/** Marks the effect whose fiber is to be interrupted; only this very object counts. @since 0.1.0 */
export const markVictim = (effect: Effect.Effect<unknown, unknown, unknown>): void => void victims.add(effect)

/** @since 0.1.0 */
export class Explorer extends Supervisor.AbstractSupervisor<void> implements Scheduler.Scheduler {
  override readonly value = Effect.void
  /** The fibers that have not ended, in the order of their start. */
  readonly alive = new Set<Thread.Thread>()
  readonly answers: Answers = { chosen: [], alternatives: [], costs: [], hashes: [] }
  /** Operations so far. */
  steps = 0
  /** Steps of the victim so far: its operations, and its waits. */
  victimSteps = 0
  /** The victim was interrupted. */
  interrupted = false
  /** Of who ran when: the same schedule has the same. */
  hash = 0
  /** It ran out of steps. */
  exhausted = false
  /** An operation of another version of Effect, whose fibers are not under control. */
  foreign: Effect.Effect<unknown, unknown, unknown> | undefined

  private readonly threads = new Map<object, Thread.Thread>()
  private readonly ready: Array<Thread.Thread> = []
  private readonly callbacks = Thread.make({ id: Thread.callbacks, fiber: undefined, parent: undefined, victim: false })
  /** It comes when the victim waits. */
  private interruption: Thread.Thread | undefined
  private readonly atEachStep: boolean
  private running = this.callbacks
  /** Who goes on because the one that was running was put off. */
  private next: Thread.Thread | undefined
  private shallYield = false
  private postponed = 0
  /** It only cleans up, and asks nobody. */
  private over = false

  constructor(readonly options: Options, readonly clock: VirtualClock) {
    super()
    this.atEachStep = options.granularity === "op"
  }

  // --------------------------------------------------------------------------------------------- who runs

  scheduleTask(task: () => void, _priority: number, fiber?: Fiber.RuntimeFiber<unknown, unknown>): void {
    this.enqueue(fiber === undefined ? this.callbacks : this.of(fiber), task)
  }

  /** Runs until nobody can, now or later, or until it is out of steps. `done` ends it as soon as nobody can run now. */
  run(done: () => boolean): void {
    do this.drain()
    while (!this.exhausted && !done() && this.clock.advance())
  }

  /** Whether somebody could run: after `run`, only because something outside woke them. */
  get stirs(): boolean {
    return this.ready.length > 0
  }

  private drain(): void {
    while (this.ready.length > 0 && !this.exhausted) {
      if (this.interruption !== undefined && this.postpones(this.interruption)) {
        this.clock.advance()
        continue
      }
      const preempts = this.next
      const thread = preempts ?? this.ready[this.ready.length === 1 ? 0 : this.pick()]
      if (thread === undefined) return
      this.options.recorder?.chosen(thread, preempts === undefined ? undefined : this.running)
      this.next = undefined
      this.runNext(thread)
      // `Effect.all` wakes a new fiber twice before its first operation; what lies between, nobody can see
      while (!thread.started && thread.fiber !== undefined && this.ready.at(-1) === thread) this.runNext(thread)
    }
  }

  private enqueue(thread: Thread.Thread, task: () => void): void {
    if (thread.tasks.push(task) === 1) this.ready.push(thread)
  }

  private runNext(thread: Thread.Thread): void {
    this.ready.splice(this.ready.indexOf(thread), 1)
    const task = thread.tasks.shift()
    // in the order of readiness: what it still has to do came after those that are ready
    if (thread.tasks.length > 0) this.ready.push(thread)
    if (task === undefined) return
    thread.fresh = true
    thread.gaveWay = false
    this.running = thread
    this.steps++
    this.mix(thread.id)
    task()
  }

  private pick(): number {
    let cost = 0
    // all that stand before one that gave way were ready when it did: to pass them is to go on without giving way
    for (let i = 1; i < Math.min(this.ready.length, 31); i++) if (this.ready[i]?.gaveWay === true) cost |= 1 << i
    return this.over ? 0 : this.answer(this.options.oracle.pick(this.ready), this.ready.length, cost)
  }

  private answer(chosen: number, alternatives: number, cost: number): number {
    this.answers.chosen.push(chosen)
    this.answers.alternatives.push(alternatives)
    this.answers.costs.push(cost)
    this.answers.hashes.push(this.hash ^ this.steps)
    // who is put off before its last step, and who is not, may run at the same times
    this.mix(chosen)
    return chosen
  }

  /** The program asks. `faulty`: every alternative but the first is a fault. */
  choose(label: string, alternatives: ReadonlyArray<string>, faulty: boolean): number {
    if (this.over || alternatives.length < 2) return 0
    const { oracle, recorder } = this.options
    const chosen = this.answer(
      oracle.choose(alternatives.length),
      alternatives.length,
      faulty ? othersAreFaults : 0
    )
    recorder?.asked(this.running, label, alternatives[chosen] ?? "")
    return chosen
  }

  private mix(value: number): void {
    this.hash = Math.imul(Math.imul(this.hash ^ value, 0x01000193) ^ this.steps, 0x85ebca6b) | 0
  }

  // --------------------------------------------------------------------------------------------- what runs

  shouldYield(): number | false {
    if (!this.shallYield) return false
    this.shallYield = false
    return withoutPriority
  }

  /** Before each operation: decides whether it is put off, and whether the victim is interrupted. */
  override onEffect<A, E>(fiber: Fiber.RuntimeFiber<A, E>, effect: Effect.Effect<unknown, unknown, unknown>): void {
    const thread = fiber === this.running.fiber ? this.running : this.of(fiber)
    const operation = Operation.name(effect)
    if (operation !== undefined && effect[Effect.EffectTypeId]._V !== version) this.foreign = effect
    thread.waits = false
    if (++this.steps > this.options.maxSteps) {
      this.exhausted = true
      this.shallYield = true
      return
    }
    if (this.over) return
    if (thread.putOff) {
      // the yield itself, then what resumes it: neither is the program's. An interruption may stand in place of the latter
      if (operation === "Yield") return
      thread.putOff = false
      if (operation === "Success") return
    }
    thread.started = true
    const weight = Operation.weigh(fiber, effect, operation, thread.masks)
    if (weight === "prepares") return
    const acts = weight === "acts"
    if (acts && !thread.fresh && this.atEachStep && mayYield(fiber) && this.putsOff(thread)) {
      thread.putOff = true
      this.shallYield = true
      return
    }
    // between two waits, granularity "async" sees no steps
    const isStep = acts && (this.atEachStep || thread.fresh)
    thread.fresh = false
    thread.waits = operation === "Async"
    thread.gaveWay = operation === "Yield"
    thread.masks = Operation.makesMask(effect, operation)
    this.options.recorder?.step(thread, effect, this.steps)
    if (isStep && thread.victim && this.victimSteps++ === this.options.interruptAt) this.interrupt(thread)
  }

  /** After the last operation, until the fiber is resumed. */
  override onSuspend<A, E>(fiber: Fiber.RuntimeFiber<A, E>): void {
    const thread = this.of(fiber)
    // while it waits is a step, too: then the interruption is one more that may be chosen
    if (this.over || !thread.victim || !thread.waits) return
    if (this.victimSteps++ !== this.options.interruptAt) return
    this.interruption = Thread.make({ id: Thread.interruption, fiber: undefined, parent: undefined, victim: false })
    this.enqueue(this.interruption, () => this.interrupt(thread))
  }

  private interrupt(thread: Thread.Thread): void {
    if (!this.alive.has(thread)) return
    this.interrupted = true
    this.options.recorder?.interrupted(thread)
    // a running fiber reads it before the operation that was about to run
    thread.fiber?.unsafeInterruptAsFork(FiberId.none)
  }

  /** Nothing is left but the interruption of the victim that waits: does time go on first? */
  private postpones(interruption: Thread.Thread): boolean {
    if (this.ready.length > 1 || this.ready[0] !== interruption) return false
    if (this.over || this.postponed >= postponements || !this.clock.waits) return false
    if (this.answer(this.options.oracle.choose(2), 2, plainIsFree) === 0) return false
    this.postponed++
    return true
  }

  private putsOff(thread: Thread.Thread): boolean {
    const { oracle } = this.options
    if (thread !== this.running) {
      // it was started on the stack of `running` (`Runtime.runFork`, `FiberSet.run`), which goes on if this one does not
      return this.answer(oracle.preempt(thread, [this.running], this.steps), 2, plainIsFree) === 1
    }
    if (this.ready.length === 0) return false
    const chosen = this.answer(
      oracle.preempt(thread, this.ready, this.steps),
      this.ready.length + 1,
      plainIsFree
    )
    this.next = chosen === 0 ? undefined : this.ready[chosen - 1]
    return chosen > 0
  }

  // --------------------------------------------------------------------------------------------- who is there

  /** Of any fiber that this schedule has started. */
  of(fiber: Fiber.RuntimeFiber<unknown, unknown>): Thread.Thread {
    const known = this.threads.get(fiber)
    if (known !== undefined) return known
    // the program has replaced the supervisor
    fiber.addObserver((exit) => this.onEnd(exit, fiber))
    return this.add(fiber, undefined, false)
  }

  /** By the identifier of its fiber. */
  find(id: number): Thread.Thread | undefined {
    for (const thread of this.threads.values()) if (thread.fiber?.id().id === id) return thread
    return undefined
  }

  private add(
    fiber: Fiber.RuntimeFiber<unknown, unknown>,
    parent: Thread.Thread | undefined,
    victim: boolean
  ): Thread.Thread {
    const thread = Thread.make({ id: this.threads.size, fiber, parent, victim })
    this.threads.set(fiber, thread)
    this.alive.add(thread)
    return thread
  }

  override onStart<A, E, R>(
    _context: unknown,
    effect: Effect.Effect<A, E, R>,
    parent: Option.Option<Fiber.RuntimeFiber<unknown, unknown>>,
    fiber: Fiber.RuntimeFiber<A, E>
  ): void {
    if (this.over) return
    const thread = this.add(fiber, parent._tag === "Some" ? this.of(parent.value) : undefined, victims.has(effect))
    this.options.recorder?.forked(thread)
  }

  override onEnd<A, E>(exit: Exit.Exit<A, E>, fiber: Fiber.RuntimeFiber<A, E>): void {
    const thread = this.of(fiber)
    this.alive.delete(thread)
    if (!this.over) this.options.recorder?.ended(thread, exit)
  }

  // --------------------------------------------------------------------------------------------- afterwards

  /** From now on it asks nobody, records nothing and has its steps anew. */
  close(): void {
    this.over = true
    this.next = undefined
    this.exhausted = false
    this.steps = 0
  }

  /** Interrupts what is left and lets it end: a failed schedule must not stay in memory. */
  clear(): void {
    this.close()
    for (const { fiber } of this.alive) fiber?.unsafeInterruptAsFork(FiberId.none)
    this.run(() => this.alive.size === 0)
  }
}

/**
 * Keeps one stream up: dials, runs, closes, tells the end, backs off, dials again.
 *
 * Each dial has a fiber of its own, from the back-off before it to the last step after its end. So whoever wants a connection gone (a
 * detach, the deadline of a dial, a silence) interrupts that fiber, and the next dial starts in one that nobody has interrupted. It is
 * started in an uninterruptible region and opens it itself, and so settles its end also when it is interrupted before its first step.
 *
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import type * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Equal from "effect/Equal"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as FiberId from "effect/FiberId"
import * as FiberRef from "effect/FiberRef"
import * as Option from "effect/Option"
import * as Random from "effect/Random"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { AnySpan } from "effect/Tracer"
import * as Backoff from "./Backoff.js"
import * as Ends from "./Ends.js"
import * as Heartbeat from "./Heartbeat.js"
import { StreamEnded, type StreamHandle, type StreamSpec } from "./Spec.js"
import * as State from "./State.js"
import * as StreamMetrics from "./StreamMetrics.js"
import * as Watch from "./Watch.js"
import type { Watchdog } from "./Watchdog.js"

/** A stream as the registry knows it. @since 0.1.0 */
export interface Kept {
  /** Ends it, as one step; returns at once. */
  readonly stop: (stop: State.Stop) => void
  /** Nothing will be dialed any more: a successor may be registered, and waits. */
  readonly isFinal: boolean
  /** Returns when nothing of it is left. */
  readonly gone: Effect.Effect<void>
  /** Whether this is its present fiber, or that of a predecessor that it waits for. */
  readonly contains: (fiber: FiberId.FiberId) => boolean
}

/** What the streams of a manager share. @since 0.1.0 */
export interface Environment {
  readonly clock: Clock.Clock
  /**
   * Starts a fiber: not on the caller's stack but after its step, uninterruptible, with the manager's own `FiberRef`s. The scope that it is
   * given is the manager's.
   */
  readonly fork: (effect: Effect.Effect<void, never, Scope.Scope>) => Fiber.RuntimeFiber<void>
  readonly watchdog: Watchdog
  /** Called when a stream has ended, in the step that says so. */
  readonly released: (key: string, stream: Kept) => void
}

/**
 * A class for the sake of memory: there are thousands, most of them idle.
 *
 * @since 0.1.0
 */
export class Keeper<A, E> implements Kept, StreamHandle<A, E> {
  private state: State.State<A, E> = State.initial
  private readonly redial: "never" | Backoff.Policy
  private fiber: Fiber.RuntimeFiber<void>
  /** Completes at the next change; there only when somebody waits for one. */
  private changed: Deferred.Deferred<void> | undefined

  /** Starts it; nothing of it runs before the caller's step is over. */
  constructor(
    readonly key: string,
    private readonly spec: StreamSpec<A, E>,
    private readonly environment: Environment,
    /** What had the key and is not quite gone: nothing is dialed before it is (SM10). */
    private predecessor: Kept | undefined,
    /** The span in which the stream was asked for: that of its first dial is inside it. */
    private asker: AnySpan | undefined
  ) {
    this.redial = spec.redial ?? Backoff.standard
    this.fiber = environment.fork(this.attempt)
  }

  // ------------------------------------------------------------------------------------- for its owner

  get ready(): Effect.Effect<A, E | StreamEnded> {
    return Effect.suspend(() => {
      if (this.state._tag === "Connected") return Effect.succeed(this.state.connection)
      if (this.state._tag !== "Ended") return Effect.zipRight(this.change, this.ready)
      const { cause, message, reason, requested } = this.state.status.end
      const error = requested || cause === undefined ? Option.none() : Cause.failureOption(cause)
      return Option.isSome(error) ? Effect.fail(error.value) : Effect.fail(
        new StreamEnded({ key: this.key, reason, requested, message: `the stream ${this.key} has ended: ${message}` })
      )
    })
  }

  get current(): Effect.Effect<Option.Option<A>> {
    return Effect.sync(() => this.state._tag === "Connected" ? Option.some(this.state.connection) : Option.none())
  }

  get ended(): Effect.Effect<State.End<E>> {
    return Effect.suspend(() =>
      this.state._tag === "Ended" ? Effect.succeed(this.state.status.end) : Effect.zipRight(this.change, this.ended)
    )
  }

  get status(): Stream.Stream<State.Status<E>> {
    const after = (
      seen: State.Status<E> | undefined
    ): Effect.Effect<Option.Option<readonly [State.Status<E>, State.Status<E>]>> =>
      Effect.suspend(() => {
        const { status } = this.state
        if (status !== seen) return Effect.succeedSome([status, status])
        return status._tag === "Ended" ? Effect.succeedNone : Effect.zipRight(this.change, after(seen))
      })
    return Stream.unfoldEffect<State.Status<E> | undefined, State.Status<E>, never, never>(undefined, after)
  }

  // -------------------------------------------------------------------------------------- for the registry

  stop(stop: State.Stop): void {
    if (this.apply({ _tag: "Stopped", stop, now: this.now })) this.fiber.unsafeInterruptAsFork(FiberId.none)
  }

  get isFinal(): boolean {
    return State.isFinal(this.state, this.redial)
  }

  get gone(): Effect.Effect<void> {
    return Effect.fiberIdWith((me) =>
      // who ends a stream from inside it would wait for itself
      // most are gone when the first of thousands has been waited for
      this.contains(me) || this.fiber.unsafePoll() !== null ? Effect.void : Effect.asVoid(Fiber.await(this.fiber))
    )
  }

  contains(fiber: FiberId.FiberId): boolean {
    return Equal.equals(this.fiber.id(), fiber) || this.predecessor?.contains(fiber) === true
  }

  // ------------------------------------------------------------------------------------------- its life

  /** Everything from the wait before a dial to the end of its connection; uninterruptible but where it says so. */
  private get attempt(): Effect.Effect<void, never, Scope.Scope> {
    return Effect.flatMap(this.wait, () => {
      this.apply({ _tag: "Woken" })
      return this.state._tag === "Connecting"
        ? Effect.flatMap(Scope.make(), (scope) => this.live(scope))
        : this.conclude(Exit.void, Exit.void, false)
    })
  }

  private get wait(): Effect.Effect<void> {
    return Effect.suspend(() => {
      const { predecessor, state } = this
      if (predecessor !== undefined) {
        // SM10: not interruptible, so that whoever waits for this stream waits for its predecessor, too
        return Effect.map(predecessor.gone, () => {
          this.predecessor = undefined
        })
      }
      // SM5
      return state._tag === "BackingOff"
        ? Effect.asVoid(Effect.exit(Effect.interruptible(Effect.sleep(state.status.delay))))
        : Effect.void
    })
  }

  /** One dial, its connection, and the closing of it. */
  private live(scope: Scope.CloseableScope): Effect.Effect<void, never, Scope.Scope> {
    let began = false
    const over = (exit: Exit.Exit<State.StreamEnd | void, E>) => {
      // from here on nobody is given the connection, though closing it may take long
      this.apply({ _tag: "Over", now: this.now })
      return Effect.matchCauseEffect(Scope.close(scope, exit), {
        onFailure: (cause) => this.conclude(exit, Exit.failCause(cause), began),
        onSuccess: () => this.conclude(exit, Exit.void, began)
      })
    }
    const connection = Effect.interruptible(Effect.suspend(() => {
      began = true
      return this.connection(scope)
    }))
    // set for good: a scope that is to be taken out of a fiber's context again costs it more memory than all the rest
    return Effect.zipRight(
      FiberRef.update(FiberRef.currentContext, Context.add(Scope.Scope, scope)),
      Effect.matchCauseEffect(connection, {
        onFailure: (cause) => over(Exit.failCause(cause)),
        onSuccess: (end) => over(Exit.succeed(end))
      })
    )
  }

  private connection(scope: Scope.Scope): Effect.Effect<State.StreamEnd | void, E, Scope.Scope> {
    const { key, spec } = this
    const { fiber } = this
    const { attempt } = State.place(this.state)
    const giveUp = (verdict: State.Verdict<E>) => {
      if (this.apply({ _tag: "GivenUp", verdict, now: this.now })) fiber.unsafeInterruptAsFork(FiberId.none)
    }
    StreamMetrics.dials.unsafeUpdate(1, [])
    const parent = this.asker
    // no longer, as it holds a request
    this.asker = undefined
    const dial = Effect.withSpan(Watch.dial(spec, scope, giveUp), "holdfast.stream.dial", {
      attributes: { key, attempt },
      parent,
      captureStackTrace: false
    })
    return Effect.flatMap(dial, (connection) => {
      // SM2: one step with the look at the state; what was dialed for a stream that was told to stop is not used, but closed
      if (!this.apply({ _tag: "Dialed", connection, now: this.now })) return Effect.interrupt
      return spec.idle === undefined
        ? spec.run(connection, Heartbeat.none)
        : Effect.flatMap(
          Watch.silence(spec, connection, scope, this.environment.watchdog, giveUp),
          (heartbeat) => spec.run(connection, heartbeat)
        )
    })
  }

  /** Everything is closed. An end before the dial began is nobody's end (`began`). */
  private conclude(
    exit: Exit.Exit<State.StreamEnd | void, E>,
    closed: Exit.Exit<void>,
    began: boolean
  ): Effect.Effect<void> {
    if (this.state._tag !== "Closing") return Effect.void
    const end = Ends.of(this.state, exit, closed)
    const settle = Effect.suspend(() => {
      // nothing is drawn and nobody asked for what is not dialed again: thousands of streams close at once
      if (!this.isFinal) {
        return Effect.zipWith(Random.next, this.atLeast, (chance, least) => this.settle(end, chance, least))
      }
      this.settle(end, 0, Duration.zero)
      return Effect.void
    })
    return began ? this.tell(end, settle) : settle
  }

  private tell(end: State.End<E>, next: Effect.Effect<void>): Effect.Effect<void> {
    const { key, spec } = this
    if (!end.requested && end.reason !== "Clean") StreamMetrics.failures.unsafeUpdate(1, [])
    const told = spec.onEnd === undefined ? next : Effect.zipRight(
      Effect.catchAllCause(
        Effect.suspend(() => spec.onEnd?.(end) ?? Effect.void),
        (cause) => Effect.logError(`the one who hears of the ends of the stream ${key} failed`, cause)
      ),
      next
    )
    return end.cause === undefined || !Cause.isDie(end.cause)
      ? told
      : Effect.zipRight(Effect.logError(`a connection of the stream ${key} ended with a defect`, end.cause), told)
  }

  private get atLeast(): Effect.Effect<Duration.Duration> {
    const { redial, spec: { redialAfter } } = this
    return redialAfter === undefined || redial === "never"
      ? Effect.succeed(Duration.zero)
      : Effect.catchAllCause(redialAfter, () => Effect.succeed(Duration.zero))
  }

  /** SM1: what follows is decided and started in one step, so that a `stop` finds either this end or the next fiber. */
  private settle(end: State.End<E>, chance: number, atLeast: Duration.Duration): void {
    this.apply({ _tag: "Settled", end, chance, atLeast })
    if (this.state._tag === "BackingOff") this.fiber = this.environment.fork(this.attempt)
    if (this.state._tag === "Ended") {
      if (this.state.status.end.requested) StreamMetrics.drained.unsafeUpdate(1, [])
      this.environment.released(this.key, this)
    }
  }

  // ------------------------------------------------------------------------------------------- its state

  private get now(): number {
    return this.environment.clock.unsafeCurrentTimeMillis()
  }

  /** False when the event changed nothing, because it came too late. */
  private apply(event: State.Event<A, E>): boolean {
    const before = this.state
    const after = State.transition(this.redial, before, event)
    if (after === before) return false
    if (after._tag === "Connected") StreamMetrics.live.unsafeModify(1, [])
    if (before._tag === "Connected") StreamMetrics.live.unsafeModify(-1, [])
    this.state = after
    const { changed } = this
    this.changed = undefined
    if (changed !== undefined) Deferred.unsafeDone(changed, Exit.void)
    return true
  }

  /** To be asked for in the step that looked at the state, or a change is missed. */
  private get change(): Effect.Effect<void> {
    return Deferred.await(this.changed ??= Deferred.unsafeMake(FiberId.none))
  }
}

/**
 * The test kit under vitest: `it`, as `@effect/vitest` has it, and more.
 *
 * ```ts
 * import { describe, expect } from "@effect/vitest"
 * import { it } from "holdfast/testing/vitest"
 *
 * it.interleaved("two increments add two", () => program, { strategy: Interleave.exhaustive({ preemptions: 2 }) })
 * ```
 *
 * @since 0.1.0
 */
import {
  afterAll,
  beforeAll,
  beforeEach,
  it as effectIt,
  type TestContext,
  type TestOptions,
  type Vitest
} from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import type * as Scope from "effect/Scope"
import * as Interleave from "./Interleave.js"
import * as Stress from "./interleave/Stress.js"
import * as LeakCheck from "./LeakCheck.js"

// ---------------------------------------------------------------------------------------------- Interleave

/** A test that holds in every schedule. @since 0.1.0 */
export interface Interleaved {
  <E>(
    name: string,
    program: () => Effect.Effect<unknown, E, Scope.Scope>,
    options?: Stress.Options,
    timeout?: number
  ): void
}

/** A test of a program that is known to be wrong: it passes when a schedule that fails is found within so many. @since 0.1.0 */
export interface Finds {
  <E>(
    name: string,
    program: () => Effect.Effect<unknown, E, Scope.Scope>,
    options: Interleave.Options & { readonly within: number },
    timeout?: number
  ): void
}

const interleavedBy = (test: typeof effectIt.live.only): Interleaved => (name, program, options = {}, timeout) =>
  test(
    name,
    ({ task }) => Stress.check(program, options, { file: task.file.name, name }),
    // without end where `npm run stress` says how long
    Stress.isAsked() ? 0 : timeout
  )

const interleaved = Object.assign(interleavedBy(effectIt.live), {
  only: interleavedBy(effectIt.live.only),
  skip: interleavedBy(effectIt.live.skip)
})

const finds: Finds = (name, program, { within, ...options }, timeout) =>
  effectIt.live(
    name,
    () =>
      Effect.flatMap(Interleave.explore(Effect.suspend(program), { ...options, schedules: within }), (report) =>
        report._tag === "Failed"
          ? Effect.void
          : Effect.dieMessage(`no schedule fails in ${report.schedules}, but one should within ${within}`)),
    timeout
  )

// ---------------------------------------------------------------------------------------------- LeakCheck

/** Vitest's options of a test, and those of the check. @since 0.1.0 */
export interface LeakFreeOptions extends TestOptions, LeakCheck.Options {}

/** A test like `it.scoped`. It fails when anything that it started is alive after it. @since 0.1.0 */
export interface LeakFree<R> {
  <A, E>(
    name: string,
    self: (context: TestContext) => Effect.Effect<A, E, R>,
    options?: number | LeakFreeOptions
  ): void
}

// what is alive has no owner: of two tests at a time nobody could say whose it is
let checking: TestContext["task"] | undefined

/** Starts a check that ends when the test has, whichever way, and after all hooks that were registered later. */
const checkTest = (context: TestContext, options: LeakCheck.Options) =>
  Effect.gen(function*() {
    const { task } = context
    if (checking !== undefined && checking !== task) {
      return yield* Effect.dieMessage(
        `tests of a file that is checked for leaks may not run concurrently, and "${checking.name}" has not ended`
      )
    }
    checking = task
    const end = Effect.ensuring(yield* LeakCheck.start(options), Effect.sync(() => checking = undefined))
    context.onTestFinished(() => ended(end), longestEnd(options))
  })

/** Throws the report as it is: a `FiberFailure` around it would only be longer. */
const ended = async (end: Effect.Effect<void, LeakCheck.LeaksFound>): Promise<void> => {
  const result = await Effect.runPromise(Effect.either(end))
  if (Either.isLeft(result)) throw result.left
}

/** For vitest, in milliseconds: a check that takes long has much to tell. */
const longestEnd = ({ grace }: LeakCheck.Options) => 10_000 + (grace === undefined ? 0 : Duration.toMillis(grace))

const leakFreeBy = <R>(tester: Vitest.Tester<R>): LeakFree<R> => (name, self, options = {}) => {
  const { grace, handles, ignore, unref, ...test } = typeof options === "number" ? { timeout: options } : options
  tester(
    name,
    (context) =>
      Effect.zipRight(
        checkTest(context, { grace, handles, ignore, unref }),
        LeakCheck.withParents(Effect.suspend(() => self(context)))
      ),
    test
  )
}

const leakFree = Object.assign(leakFreeBy(effectIt.scoped), {
  /** Without a `TestContext`, like `it.scopedLive`. */
  live: leakFreeBy(effectIt.scopedLive)
})

/**
 * Checks every test of the file in which it is called, and at its end once more what is left of its hooks. It is called at the top,
 * before any hook, and outside of `describe`.
 *
 * @since 0.1.0
 */
export const leakFreeFile = (options: LeakCheck.Options = {}): void => {
  let end: Effect.Effect<void, LeakCheck.LeaksFound> = Effect.void
  beforeAll(() => {
    end = Effect.runSync(LeakCheck.start(options))
  })
  beforeEach((context) => Effect.runSync(checkTest(context, options)))
  afterAll(() => ended(end), longestEnd(options))
}

// ---------------------------------------------------------------------------------------------- it

/** @since 0.1.0 */
export const it = Object.assign(effectIt, {
  /** Holds in every schedule that `Interleave` tries. */
  interleaved,
  /** `Interleave` finds a schedule in which it fails. */
  finds,
  /** Leaves nothing behind. */
  leakFree
})

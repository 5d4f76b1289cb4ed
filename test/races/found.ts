/** A race that `Interleave` finds, and finds again from what it printed the first time. */
import { expect } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { Interleave } from "holdfast/testing"
import { it } from "holdfast/testing/vitest"

export const itFinds = <E>(
  name: string,
  program: () => Effect.Effect<unknown, E, Scope.Scope>,
  { choices, reason, ...options }: Interleave.Options & {
    readonly within: number
    /** The schedule of a failure, made as plain as possible. */
    readonly choices: string
    /** A part of what failed in it. */
    readonly reason: string
  }
): void => {
  it.finds(name, program, options)
  it.live(`${name}, again`, () =>
    Effect.map(
      Interleave.explore(Effect.suspend(program), { strategy: Interleave.replay(choices) }),
      (report) => expect(report).toMatchObject({ _tag: "Failed", reason: expect.stringContaining(reason) })
    ))
}

/** Streams of no wire: connections that a test opens, ends and looks at. */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { End, StreamEnd, StreamSpec } from "../../src/lifecycle/StreamManager.js"

export interface Line {
  readonly name: string
  readonly end: Deferred.Deferred<StreamEnd | void, string>
  /** From the dial to the end of its closing. */
  open: boolean
}

/**
 * A peer. Each dial opens a line, `closing` says how long it takes to be gone. What happened is in `heard`, and what must never happen in
 * `broken`: a dial while a line is open, one before the end of the line before was told, an end that is told of an open line.
 */
export const peer = (options: {
  readonly name?: string
  /** After the line is open, before the dial is through. */
  readonly dial?: (dial: number) => Effect.Effect<void, string, Scope.Scope>
  readonly closing?: Effect.Effect<void>
} = {}) => {
  const heard: Array<string> = []
  const lines: Array<Line> = []
  const ends: Array<End<string>> = []
  const broken: Array<string> = []
  /** A line is closed, and its end is not told yet. */
  let owed = false
  const open = () => lines.filter((line) => line.open).map((line) => line.name)
  const spec: StreamSpec<Line, string> = {
    connect: Effect.gen(function*() {
      const line: Line = {
        name: `${options.name ?? "line"} ${lines.length + 1}`,
        end: yield* Deferred.make<StreamEnd | void, string>(),
        open: false
      }
      yield* Effect.acquireRelease(
        Effect.sync(() => {
          if (open().length > 0) broken.push(`${line.name} was dialed while ${open()} was open`)
          if (owed) broken.push(`${line.name} was dialed before the end of the one before was told`)
          lines.push(line)
          line.open = true
          heard.push(`${line.name} dialed`)
        }),
        () =>
          Effect.zipRight(
            options.closing ?? Effect.void,
            Effect.sync(() => {
              line.open = false
              owed = true
              heard.push(`${line.name} closed`)
            })
          )
      )
      yield* options.dial?.(lines.length) ?? Effect.void
      return line
    }),
    run: (line) =>
      Effect.zipRight(
        Effect.sync(() => {
          heard.push(`${line.name} runs`)
        }),
        Deferred.await(line.end)
      ),
    onEnd: (end) =>
      Effect.sync(() => {
        if (open().length > 0) broken.push(`${open()} is open when its end is told`)
        if (end.connected && !owed) broken.push("an end is told twice, or too early")
        owed = false
        ends.push(end)
        heard.push(`told: ${end.reason}`)
      })
  }
  return {
    spec,
    heard,
    lines,
    ends,
    broken,
    open,
    /** Whether every line has ended, and all went as it must. */
    isGone: () => open().length === 0 && !owed && broken.length === 0,
    /** The peer ends the latest line. */
    hangUp: (end?: StreamEnd) => Effect.suspend(() => Deferred.succeed(lines.at(-1)!.end, end)),
    cut: (error: string) => Effect.suspend(() => Deferred.fail(lines.at(-1)!.end, error))
  }
}

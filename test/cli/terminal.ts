/**
 * A terminal with a person at it: shows nothing, types what it is told to.
 */
import * as NodeContext from "@effect/platform-node/NodeContext"
import * as Terminal from "@effect/platform/Terminal"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Mailbox from "effect/Mailbox"
import * as Option from "effect/Option"

const named: Readonly<Record<string, string>> = {
  "\r": "return",
  "\t": "tab",
  "\u001b[B": "down",
  "\u001b[A": "up",
  "\u0003": "c"
}

const toInput = (key: string): Terminal.UserInput => ({
  input: key.startsWith("\u001b") ? Option.none() : Option.some(key),
  key: { name: named[key] ?? key, ctrl: key === "\u0003", meta: false, shift: false }
})

export const enter = "\r"
export const down = "\u001b[B"
export const ctrlC = "\u0003"

/** Every prompt gets the keys that wait for it; what was displayed is collected in `shown`. */
export const make = Effect.gen(function*() {
  const keys = yield* Mailbox.make<Terminal.UserInput>()
  const shown: Array<string> = []
  let prompts = 0
  const terminal = Terminal.Terminal.of({
    columns: Effect.succeed(80),
    rows: Effect.succeed(24),
    isTTY: Effect.succeed(true),
    readInput: Effect.gen(function*() {
      prompts++
      const input = yield* Mailbox.make<Terminal.UserInput>()
      // as platform's: Ctrl-C ends the input
      yield* keys.take.pipe(
        Effect.flatMap((key) => key.key.ctrl ? input.end : input.offer(key)),
        Effect.forever,
        Effect.forkScoped
      )
      return input
    }),
    readLine: Effect.never,
    display: (text) => Effect.sync(() => void shown.push(text))
  })
  return {
    layer: Layer.merge(NodeContext.layer, Layer.succeed(Terminal.Terminal, terminal)),
    type: (...typed: ReadonlyArray<string>) =>
      keys.offerAll(typed.flatMap((text) => named[text] === undefined ? [...text] : [text]).map(toInput)),
    /** How many prompts were opened. */
    prompts: Effect.sync(() => prompts),
    shown
  }
})

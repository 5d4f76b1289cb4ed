/**
 * What the demo agent does when nobody names a script: a short conversation that shows everything an agent can show.
 *
 * @since 0.1.0
 */
import type * as acp from "@agentclientprotocol/sdk"
import * as FileSystem from "@effect/platform/FileSystem"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { guarded, plan, shows, speak, think, tool, type Turn } from "./Turn.js"

const steps = ["Look around in the working folder", "Sign the guest book, if I may", "Say goodbye"]

const greeting = (turn: Turn, prompt: string) =>
  turn.count === 1
    ? "Hello! I am Holdfast's demo agent: a real ACP agent without a network, a key or a model. "
    : `Welcome back! That was your prompt number ${turn.count}, and you wrote ${prompt.length} characters. `

const lookAround = (turn: Turn) =>
  tool(
    turn,
    { title: "List the working folder", kind: "read", locations: [{ path: turn.cwd }] },
    () =>
      Effect.flatMap(FileSystem.FileSystem, (fs) => fs.readDirectory(turn.cwd)).pipe(
        Effect.map((names) => {
          const shown = turn.verbose ? names : names.slice(0, 5)
          const more = shown.length < names.length ? ", …" : ""
          return {
            content: [shows(`${names.length} entries: ${shown.join(", ")}${more}`)],
            rawOutput: { entries: names.length }
          }
        }),
        // a folder that cannot be read is something to tell, not a reason to stop
        Effect.catchAll((error) => Effect.succeed({ status: "failed" as const, content: [shows(error.message)] }))
      )
  )

const signed = (chosen: acp.PermissionOption) =>
  chosen.kind === "reject_once"
    ? "You would rather I did not, so I leave it alone. "
    : `Thank you: you chose "${chosen.name}", and my name is in it. `

/** @since 0.1.0 */
export const converse = Effect.fnUntraced(function*(turn: Turn, prompt: string) {
  if (turn.count === 1) {
    yield* turn.setTitle(prompt.length > 48 ? `${prompt.slice(0, 47)}…` : prompt || "A conversation")
  }
  yield* plan(turn, steps, 0)
  yield* think(turn, "Somebody is here. I should greet them and show what an agent can do.")
  if (turn.verbose) yield* think(turn, " They like it verbose, so I think aloud about every step.")
  yield* speak(turn, greeting(turn, prompt))
  yield* lookAround(turn)
  yield* plan(turn, steps, 1)
  yield* speak(turn, "I have looked around. Now I would like to ask you something. ")
  const chosen = yield* guarded(
    turn,
    {
      title: "Sign the guest book",
      kind: "edit",
      content: [{
        type: "diff",
        path: `${turn.cwd}/guest-book.txt`,
        oldText: null,
        newText: "the demo agent was here\n"
      }]
    },
    { content: [shows("Signed. (No file was touched: this is only a demonstration.)")] }
  )
  if (Option.isNone(chosen)) return "cancelled"
  yield* plan(turn, steps, 2)
  yield* speak(turn, signed(chosen.value))
  yield* speak(turn, "Write /help to see what else I can do.")
  yield* plan(turn, steps, 3)
  yield* turn.reportUsage
  return "end_turn"
})

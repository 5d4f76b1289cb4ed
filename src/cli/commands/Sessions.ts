/**
 * `holdfast sessions`: the sessions of a running gateway.
 *
 * @since 0.1.0
 */
import * as Command from "@effect/cli/Command"
import * as Chunk from "effect/Chunk"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import type { Session } from "../../domain/Session.js"
import * as Ansi from "../Ansi.js"
import * as Flags from "../Flags.js"
import * as GatewayClient from "../GatewayClient.js"
import { Screen } from "../Screen.js"
import * as Table from "../Table.js"

/** How long ago, in the largest unit that fits: `45s`, `12m`, `3h`, `9d`. */
const age = (since: string, now: number): string => {
  const seconds = Math.max(0, Math.floor((now - Date.parse(since)) / 1000))
  if (seconds < 60) return `${seconds}s`
  if (seconds < 3600) return `${Math.floor(seconds / 60)}m`
  return seconds < 86_400 ? `${Math.floor(seconds / 3600)}h` : `${Math.floor(seconds / 86_400)}d`
}

const row = (session: Session, now: number) => [
  session.id,
  Ansi.oneLine(session.agent),
  session.pending === 0 ? session.status : `${session.status} (${session.pending})`,
  String(session.head),
  age(session.updatedAt, now),
  Ansi.oneLine(session.title ?? session.cwd)
]

/** @since 0.1.0 */
export const command = Command.make(
  "sessions",
  { ...Flags.gateway, json: Flags.json },
  (flags) =>
    Effect.gen(function*() {
      const screen = yield* Screen
      const gateway = yield* GatewayClient.connect(flags)
      const all = Chunk.toReadonlyArray(yield* Stream.runCollect(gateway.sessions))
      if (flags.json) return yield* screen.write(all.map((session) => `${JSON.stringify(session)}\n`).join(""))
      if (all.length === 0) return yield* screen.note("no sessions yet")
      const now = yield* Clock.currentTimeMillis
      yield* screen.write(
        Table.render(["SESSION", "AGENT", "STATUS", "EVENTS", "AGE", "TITLE"], all.map((session) => row(session, now)))
      )
    })
).pipe(Command.withDescription("List the sessions of a running gateway"))

/**
 * Appends to the log in the file that is its first argument until it is killed. The numbers that a tail shows go into
 * the second, each on a line.
 */
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import * as Stream from "effect/Stream"
import * as fs from "node:fs"
import * as EventLog from "../../src/log/EventLog.js"
import { many, opened, runId, session } from "./fixture.js"

const [filename = "", shown = ""] = process.argv.slice(2)

const program = Effect.gen(function*() {
  const log = yield* EventLog.EventLog
  yield* log.append(session, [opened, { event: { type: "RunStarted", prompt: [] }, runId }])
  yield* Effect.forkScoped(
    Stream.runForEach(
      log.tail({ session, after: 0 }),
      ({ seq }) => Effect.sync(() => fs.appendFileSync(shown, `${seq}\n`))
    )
  )
  yield* Effect.forever(Effect.flatMap(Random.nextIntBetween(1, 50), (count) => log.append(session, many(count))))
})

void Effect.runPromise(Effect.scoped(Effect.provide(program, EventLog.layerSqlite({ filename }))))

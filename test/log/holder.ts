/** Holds the data folder that is its argument until it is killed; its first line says whether it does. */
import * as NodeContext from "@effect/platform-node/NodeContext"
import * as Effect from "effect/Effect"
import * as DataFolder from "../../src/log/DataFolder.js"

const program = DataFolder.make(process.argv[2] ?? "").pipe(
  Effect.match({
    onFailure: (error) => error._tag === "DataFolderHeld" ? `held by ${error.pid}` : error.message,
    onSuccess: () => "holds"
  }),
  Effect.tap((line) => Effect.sync(() => console.log(line))),
  Effect.zipRight(Effect.never)
)

void Effect.runPromise(Effect.scoped(Effect.provide(program, NodeContext.layer)))

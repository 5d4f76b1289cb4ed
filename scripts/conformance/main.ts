/**
 * `npm run conformance:agentctl`: the agentctl driver against the real host, with the demo agent behind it. Prints a table, and ends with 1
 * when a case does not pass. A name, or a part of one, as an argument runs only what fits.
 *
 * Not a part of `npm test`: the host is 160 MB, is fetched from the registry, and runs on Linux on x64 only.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Cause from "effect/Cause"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { cases } from "./Cases.js"
import * as Client from "./Client.js"
import * as Host from "./Host.js"

const fetched = Host.fetch()
const wanted = process.argv[2] ?? ""

const oneLine = (cause: Cause.Cause<unknown>) => Cause.pretty(cause).split("\n")[0]?.slice(0, 300) ?? ""

const run = (program: string) =>
  Effect.gen(function*() {
    const client = yield* Client.make(yield* Host.start(program))
    let failed = 0
    const chosen = cases.filter(({ name }) => name.includes(wanted))
    for (const { name, run } of chosen) {
      const exit = yield* Effect.exit(Effect.timeout(run(client), "60 seconds"))
      if (Exit.isFailure(exit)) failed++
      yield* Console.log(
        Exit.match(exit, {
          onSuccess: (seen) => `pass  ${name.padEnd(80)}  ${seen}`,
          onFailure: (cause) => `FAIL  ${name.padEnd(80)}  ${oneLine(cause)}`
        })
      )
    }
    yield* Console.log(`${chosen.length} cases, ${failed} failed`)
    return failed
  }).pipe(Effect.scoped)

NodeRuntime.runMain(
  "missing" in fetched
    ? Console.log(`skipped: ${fetched.missing}`)
    : Effect.flatMap(
      run(fetched.program),
      (failed) => Effect.sync(() => void (process.exitCode = failed === 0 ? 0 : 1))
    )
)

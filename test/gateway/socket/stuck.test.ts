/** A client that stops reading, at the built program. */
import { expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { createClient } from "holdfast/client"
import { leakFreeFile } from "holdfast/testing/vitest"
import { readFileSync } from "node:fs"
import * as Program from "../../program.js"
import { connected } from "./client.js"

leakFreeFile({ grace: "5 seconds" })

/** In MB. */
const residentOf = (pid: number) =>
  Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) / 1024

it.scopedLive(
  "EL3 ten sockets that are not read while 100,000 events come cost little, and hold nobody up",
  () =>
    Effect.gen(function*() {
      const data = yield* Program.temporary
      const gateway = yield* Program.gateway(data)
      const client = createClient(gateway)
      const { id } = yield* Effect.promise(() => client.create({ agent: "demo", cwd: data }))
      const path = `/v1/sessions/${id}/socket`
      const reads = yield* connected(gateway, path)
      const stuck = yield* Effect.replicateEffect(connected(gateway, path), 10)
      for (const { ws } of stuck) ws.pause()
      const pid = gateway.process.pid ?? 0

      yield* Effect.promise(() => client.prompt(id, "/stream 2000", { whenBusy: "queue" }))
      yield* Program.eventually(() => reads.texts.at(-1)?.includes("RunEnded"))
      const before = residentOf(pid)
      let most = 0
      for (let round = 1; round <= 5; round++) {
        const { runId } = yield* Effect.promise(() => client.prompt(id, "/stream 20000", { whenBusy: "queue" }))
        yield* Program.eventually(() => {
          most = Math.max(most, residentOf(pid))
          return reads.texts.at(-1)?.includes(runId) === true && reads.texts.at(-1)?.includes("RunEnded") === true
        })
      }
      yield* Effect.logInfo(`resident: ${before.toFixed(0)} MB, at most ${most.toFixed(0)} MB`)
      expect(most - before).toBeLessThan(100)

      const { head } = yield* Effect.promise(() => client.get(id))
      expect(reads.texts.length).toBe(head)
      expect(head).toBeGreaterThan(100_000)
      // a cursor is all that a stuck one needs: cut by now or not, it comes to the same
      for (const { texts, ws } of stuck) {
        ws.terminate()
        expect(texts.length).toBeLessThan(head)
      }
      const resumed = yield* connected(gateway, `${path}?after=${head - 5}`)
      yield* Program.eventually(() => resumed.texts.length === 5)
    }),
  180_000
)

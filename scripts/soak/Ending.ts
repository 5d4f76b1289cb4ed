/** The end of a soak: everything is closed, and it is looked what is left. */
import * as Client from "./Client.js"
import * as Gateway from "./Gateway.js"
import { inTurn, within } from "./Pace.js"
import type { Player } from "./Player.js"
import type { Mark } from "./Processes.js"
import { judge } from "./Verdict.js"
import type { World } from "./World.js"

export interface Stage {
  readonly folder: string
  readonly mark: Mark
  readonly gateway: Gateway.Gateway
  /** What the gateway has started and what lives, itself aside. */
  readonly left: () => ReadonlyArray<string>
}

/** Closes all sessions, as they are: many of them with a question open and a run under way. Nothing of them may be left. */
export const close = async (world: World, players: ReadonlyArray<Player>, stage: Stage) => {
  const { client, fault } = world
  const responses = await Promise.all(players.map(({ session }) => client.call("DELETE", `/v1/sessions/${session}`)))
  for (const [index, { body, status }] of responses.entries()) {
    if (status !== 204) fault(`${players[index]?.session}: closing it got ${status} ${JSON.stringify(body)}`)
  }
  for (const line of stage.left()) fault(`all sessions are closed, and this process is left: ${line}`)
  const histories = await inTurn(players, 4, async ({ session, viewer }) => {
    const { body } = await client.call("GET", `/v1/sessions/${session}`)
    const { body: pending } = await client.call("GET", `/v1/sessions/${session}/elicitations`)
    if (body.status !== "closed" || body.pending !== 0) fault(`${session}: closed, it is ${JSON.stringify(body)}`)
    if (pending.elicitations.length > 0) {
      fault(`${session}: closed, it has ${JSON.stringify(pending.elicitations)} open`)
    }
    const events = await client.history(session)
    if (!await within(10_000, () => viewer.head() === events.length)) {
      fault(`${session}: the viewer has seen ${viewer.head()} of ${events.length} events`)
    }
    viewer.stop()
    return { session, events }
  })
  for (const { events, session } of histories) {
    const attempts = world.attempts.filter(({ question }) => question.sessionId === session)
    const demands = world.demands.filter((demand) => demand.session === session)
    for (const found of judge(session, events, attempts, demands)) fault(found)
  }
  return histories
}

/** A gateway that starts again on the same data has nothing to mend. */
export const reopen = async (world: World, closed: Awaited<ReturnType<typeof close>>, stage: Stage) => {
  const { fault } = world
  const gateway = await Gateway.start(stage.folder, stage.mark, "0")
  try {
    const client = Client.make(gateway.url)
    await inTurn(closed, 4, async ({ events, session }) => {
      const { body } = await client.call("GET", `/v1/sessions/${session}`)
      if (body.head !== events.length || body.status !== "closed") {
        fault(
          `${session}: after a restart of the gateway it is ${
            JSON.stringify(body)
          }, with ${events.length} events before`
        )
      }
    })
    const exit = await gateway.stop()
    if (exit !== "exit code 0") fault(`the gateway that was started again ended with ${exit}`)
  } finally {
    gateway.kill()
  }
}

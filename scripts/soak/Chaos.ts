/** What goes wrong: agents are killed and restarted, runs cancelled, connections cut, at random. */
import type { Player } from "./Player.js"
import * as Processes from "./Processes.js"
import type { World } from "./World.js"

const deeds = { kill: 45, restart: 30, burst: 8, cancel: 10, cut: 7 }
const causes = ["requested", "changed", "failed"] as const

/** A restart may find that its agent was killed meanwhile; that is told, and no fault. */
const tolerated = new Set([
  "AgentDied",
  "AgentStartTimeout",
  "AgentProtocolError",
  "AgentRequestFailed",
  "RestartStorm",
  "RestartCancelled"
])

/** About `perSecond` deeds in the mean, until the soak stops; it returns when every restart it waited for is over. */
export const run = async (world: World, options: {
  readonly gateway: number
  readonly players: ReadonlyArray<Player>
  readonly perSecond: number
}): Promise<void> => {
  const { client, counts, fault } = world
  const random = world.random("chaos")
  const busy = new Set<Promise<void>>()

  const restart = async ({ session, viewer }: Player) => {
    const cause = random.pick(causes) ?? "requested"
    const wait = random.chance(0.5)
    const [after, at] = [viewer.head(), Date.now()]
    counts.restarts++
    const { body, status } = await client.call("POST", `/v1/sessions/${session}/restart`, { cause, wait })
    if (status === (wait ? 200 : 202)) {
      // one that only looks dead may be covered by what ran before
      if (cause !== "failed") world.demands.push({ session, after, at, before: body?.head })
    } else if (!tolerated.has(body?._tag)) {
      fault(`${session}: a restart (${cause}${wait ? ", waited for" : ""}) got ${status} ${JSON.stringify(body)}`)
    }
  }

  const cancel = async ({ session }: Player) => {
    counts.cancels++
    const { body, status } = await client.call("POST", `/v1/sessions/${session}/cancel`)
    if (status !== 202) fault(`${session}: a cancel got ${status} ${JSON.stringify(body)}`)
  }

  const kill = async () => {
    const pid = random.pick(Processes.agentsOf(options.gateway))
    if (pid !== undefined && Processes.kill(pid)) counts.killed++
  }

  const cut = async ({ viewer }: Player) => {
    counts.cuts++
    viewer.cut()
  }

  const deed = async (player: Player): Promise<unknown> => {
    switch (random.weighted(deeds)) {
      case "kill":
        return kill()
      case "restart":
        return restart(player)
      case "burst":
        return Promise.all(Array.from({ length: 3 + random.integer(6) }, () => restart(player)))
      case "cancel":
        return cancel(player)
      case "cut":
        return cut(player)
    }
  }

  while (!world.stopping()) {
    await world.sleep(random.gap(1000 / options.perSecond))
    const player = random.pick(options.players)
    if (player === undefined || world.stopping()) continue
    const work: Promise<void> = deed(player).then(
      () => {},
      (error) => fault(`${player.session}: ${error}`)
    ).finally(() => busy.delete(work))
    busy.add(work)
  }
  await Promise.all(busy)
}

/** One session and its user: prompts, watches what comes, and prompts again when the run is over. */
import type { Event, Viewer } from "./Client.js"
import type { World } from "./World.js"

export interface Player {
  readonly session: string
  readonly viewer: Viewer
  /** Prompts until the soak stops. */
  readonly play: () => Promise<void>
}

/** What asks, and how often each is prompted. */
const questions = { "/permission": 40, "/form": 40, "/two": 14, "/url": 10 }

/** What else agents do, good and bad: each in its turn, so that also a short soak sees most of them. */
const others = [
  "/grandchild",
  "/crash",
  "/stream 30",
  "/stay",
  "/late",
  "/tools",
  "/fail",
  "/hang",
  "/plan",
  "/sleep 0.2",
  "/garbage",
  "/huge 100000"
]
const otherEvery = 8

/**
 * So long a run may say nothing while no question of it is open. An agent may take 30 s to start, a restart may come on top, and the machine
 * may be busy.
 */
const patience = 180_000

export const open = async (world: World, index: number, cwd: string): Promise<Player> => {
  const { client, counts, fault } = world
  const { body, status } = await client.call("POST", "/v1/sessions", { agent: "demo", cwd, title: `soak ${index}` })
  if (status !== 201) throw new Error(`session ${index} could not be opened: ${status} ${JSON.stringify(body)}`)
  const session: string = body.id
  const random = world.random(`player ${index}`)

  const over = new Map<string, string>()
  let waiting: { readonly run: string; readonly wake: () => void } | undefined
  let lastSeen = Date.now()
  let turns = 0

  const onEvent = ({ event, runId }: Event) => {
    lastSeen = Date.now()
    if (event.type === "ElicitationRequested") {
      counts.asked++
      world.open.set(event.elicitation.id, event.elicitation)
    } else if (event.type === "ElicitationSettled") world.open.delete(event.elicitationId)
    else if (runId !== undefined && (event.type === "RunEnded" || event.type === "RunDropped")) {
      over.set(runId, event.type === "RunEnded" ? event.outcome._tag : "Dropped")
      if (waiting?.run === runId) waiting.wake()
    }
  }
  const viewer = client.watch(session, { onEvent, onFault: (what) => fault(`${session}: ${what}`) })

  /** How the run ended; `undefined` when the soak stops before. */
  const end = async (run: string) => {
    lastSeen = Date.now()
    while (!over.has(run) && !world.stopping()) {
      const asks = [...world.open.values()].some(({ sessionId }) => sessionId === session)
      if (!asks && Date.now() - lastSeen > patience) {
        const { body } = await client.call("GET", `/v1/sessions/${session}`)
        fault(`${session}: ${run} says nothing, asks nothing and does not end: ${JSON.stringify(body)}`)
        return undefined
      }
      await new Promise<void>((resolve) => {
        waiting = { run, wake: resolve }
        void world.sleep(1000).then(resolve)
      })
    }
    waiting = undefined
    return over.get(run)
  }

  const turn = async () => {
    const round = turns++ / otherEvery - 0.5
    const prompt = Number.isInteger(round)
      ? others[(index + round) % others.length] ?? ""
      : random.weighted(questions)
    const { body, status } = await client.call("POST", `/v1/sessions/${session}/runs`, { prompt })
    if (status !== 202) {
      if (!world.stopping()) fault(`${session}: the prompt ${prompt} got ${status} ${JSON.stringify(body)}`)
      return world.sleep(1000)
    }
    counts.runs++
    if (prompt === "/hang") {
      await world.sleep(random.gap(500))
      await client.call("POST", `/v1/sessions/${session}/cancel`)
    }
    // an agent that was killed is started again by the next prompt; no need to hurry it
    if (await end(body.runId) !== "Completed") await world.sleep(random.gap(500))
    else if (random.chance(0.2)) await world.sleep(random.gap(200))
  }

  return {
    session,
    viewer,
    play: async () => {
      try {
        while (!world.stopping()) await turn()
      } catch (error) {
        fault(`${session}: ${error}`)
      }
    }
  }
}

/**
 * A turn with a question: prompt, permission asked, answered over HTTP, end; against the same turn on the ACP SDK's own client over
 * stdio, which answers in place. The answer is "reject", because the demo agent works for a while on what is allowed.
 */
import type { Result } from "./main.js"
import * as BareClient from "./support/BareClient.js"
import * as Client from "./support/Client.js"
import { gateway } from "./support/Program.js"

const rounds = 6
const turns = 100

interface Side {
  readonly turn: () => Promise<unknown>
  readonly stop: () => unknown
}

const holdfast = async (): Promise<Side> => {
  const server = await gateway()
  const { id } = await Client.call<{ id: string }>("POST", `${server.url}/v1/sessions`, { agent: "demo" })
  const session = `${server.url}/v1/sessions/${id}`
  let ended = () => {}
  await Client.follow(`${session}/events`, (data) => {
    if (data.includes("\"ElicitationRequested\"")) {
      const { event } = JSON.parse(data) as { event: { elicitation: { id: string } } }
      const answer = { action: "accept", content: { optionId: "reject_once" } }
      void Client.call("POST", `${session}/elicitations/${event.elicitation.id}`, answer)
    } else if (data.includes("\"RunEnded\"")) ended()
  })
  return {
    turn: async () => {
      const end = new Promise<void>((resolve) => ended = resolve)
      await Client.call("POST", `${session}/runs`, { prompt: "/permission" })
      await end
    },
    stop: server.stop
  }
}

const bare = async (): Promise<Side> => {
  const { close, prompt } = await BareClient.connect(() => {})
  return { turn: () => prompt("/permission"), stop: close }
}

const time = async ({ turn }: Side, times: Array<number>) => {
  for (let i = 0; i < turns; i++) {
    const start = performance.now()
    await turn()
    times.push(performance.now() - start)
  }
}

const p50 = (times: Array<number>) => times.sort((a, b) => a - b)[times.length >> 1] ?? NaN

export default async (): Promise<Result> => {
  const sides = await Promise.all([holdfast(), bare()])
  const times: [Array<number>, Array<number>] = [[], []]
  // in turns, so that a busy machine is busy for both; the first round warms up
  for (let round = 0; round < rounds; round++) {
    for (const index of [0, 1] as const) await time(sides[index], round === 0 ? [] : times[index])
  }
  for (const side of sides) await side.stop()
  const [ours, theirs] = [p50(times[0]), p50(times[1])]
  return {
    name: "permission: p50 of a turn with a question, of the bare SDK's",
    ratio: ours / theirs,
    target: "<= 4",
    ok: ours / theirs <= 4,
    details: { "holdfast, ms": ours.toFixed(2), "bare, ms": theirs.toFixed(2) }
  }
}

/**
 * A question answered over AG-UI, by the official `HttpAgent`: from the answer to the first event of what the agent does with it, through
 * the gateway, its store and the agent's process and back; against a bare `node:http` server that speaks the protocol and does nothing.
 * The answer is "reject", because the demo agent works for a while on what is allowed.
 */
import { HttpAgent } from "@ag-ui/client"
import type { Result } from "./main.js"
import { bareAgui, gateway, type Server } from "./support/Program.js"

const rounds = 6
const questions = 60

interface Side {
  readonly server: Server
  /** Asks and answers; how long it took from the answer to what came of it, and to the end of the run, in ms. */
  readonly answer: () => Promise<readonly [next: number, end: number]>
}

const makeSide = (server: Server, path: string): Side => {
  const agent = new HttpAgent({ url: `${server.url}${path}`, threadId: `thread ${path}` })
  let said = 0
  return {
    server,
    answer: async () => {
      // a conversation that grows would measure the client
      agent.messages = agent.messages.slice(-2)
      agent.addMessage({ id: `u${said++}`, role: "user", content: "/permission" })
      await agent.runAgent()
      const resume = agent.pendingInterrupts.map(({ id }) => ({
        interruptId: id,
        status: "resolved" as const,
        payload: { approved: false }
      }))
      if (resume.length === 0) throw new Error("no question was asked")
      let next = NaN
      const start = performance.now()
      await agent.runAgent({ resume }, {
        onEvent: ({ event }) => {
          // what a run begins with says nothing of the answer
          if (Number.isNaN(next) && !/^RUN_STARTED$|^STATE_/.test(event.type)) next = performance.now() - start
        }
      })
      return [next, performance.now() - start]
    }
  }
}

const p50 = (times: Array<number>) => times.sort((a, b) => a - b)[times.length >> 1] ?? NaN

export default async (): Promise<Result> => {
  const sides = [makeSide(await gateway(), "/agui/demo"), makeSide(await bareAgui(), "/")]
  const next: [Array<number>, Array<number>] = [[], []]
  const end: [Array<number>, Array<number>] = [[], []]
  // in turns, so that a busy machine is busy for both; the first round warms up
  for (let round = 0; round < rounds; round++) {
    for (const index of [0, 1] as const) {
      for (let i = 0; i < questions; i++) {
        const times = await sides[index]?.answer()
        if (round === 0 || times === undefined) continue
        next[index].push(times[0])
        end[index].push(times[1])
      }
    }
  }
  for (const { server } of sides) await server.stop()
  const [ours, theirs] = [p50(next[0]), p50(next[1])]
  return {
    name: "agui: p50 from an answer to what comes of it, of the bare protocol's",
    ratio: ours / theirs,
    target: "<= 2",
    ok: ours / theirs <= 2,
    details: {
      "holdfast, ms": ours.toFixed(2),
      "bare, ms": theirs.toFixed(2),
      "holdfast, to the end of the run, ms": p50(end[0]).toFixed(2),
      "bare, to the end of the run, ms": p50(end[1]).toFixed(2)
    }
  }
}

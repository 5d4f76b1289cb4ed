/**
 * A question answered over AG-UI, by the official `HttpAgent`: from the answer to the first event of what comes of it, through the
 * gateway, its store and the agent's process and back; against a bare `node:http` server that speaks the protocol and does nothing.
 * The answer is "reject", because the demo agent works for a while on what is allowed.
 *
 * The third server is the floor: an agent's process and a store behind the same protocol, and nothing else (`support/floorAgui.ts`).
 *
 * A person thinks, and so does this client, for a moment before each answer, of whichever server. Without that, what has waited (the
 * gateway waits for a second question before it shows the first) would be measured from a sleeping processor and out of its caches, where
 * even the bare insert into SQLite takes six times as long, and what never waits would not.
 */
import { HttpAgent } from "@ag-ui/client"
import type { Result } from "./main.js"
import { bareAgui, floorAgui, gateway, type Server } from "./support/Program.js"

const rounds = 5
const questions = 50
/** Of each, before anything is measured: what is answered is then code that was compiled. */
const warmUp = 300
/** In ms. */
const thinking = 20

interface Side {
  readonly server: Server
  /** Asks and answers; how long it took from the answer to what came of it, and to the end of the run, in ms. */
  readonly answer: (thinking: number) => Promise<readonly [next: number, end: number]>
  readonly next: Array<number>
  readonly end: Array<number>
}

const makeSide = (server: Server, path: string): Side => {
  const agent = new HttpAgent({ url: `${server.url}${path}`, threadId: `thread ${path}` })
  let said = 0
  return {
    server,
    next: [],
    end: [],
    answer: async (thinking) => {
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
      await new Promise((resolve) => setTimeout(resolve, thinking))
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
  const ours = makeSide(await gateway(), "/agui/demo")
  const bare = makeSide(await bareAgui(), "/")
  const floor = makeSide(await floorAgui(), "/")
  const sides = [ours, bare, floor]
  for (const { answer } of sides) {
    for (let i = 0; i < warmUp; i++) await answer(0)
  }
  // in turns, so that a busy machine is busy for all
  for (let round = 0; round < rounds; round++) {
    for (const { answer, end, next } of sides) {
      for (let i = 0; i < questions; i++) {
        const times = await answer(thinking)
        next.push(times[0])
        end.push(times[1])
      }
    }
  }
  for (const { server } of sides) await server.stop()
  const ratio = p50(ours.next) / p50(bare.next)
  const told = ({ end, next }: Side) => `${p50(next).toFixed(2)}, to the end of the run ${p50(end).toFixed(2)}`
  return {
    name: "agui: p50 from an answer to what comes of it, of the bare protocol's",
    ratio,
    target: "<= 2",
    ok: ratio <= 2,
    details: { "holdfast, ms": told(ours), "bare, ms": told(bare), "an agent and a store alone, ms": told(floor) }
  }
}

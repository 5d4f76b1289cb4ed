/** What the actors of a soak share: the gateway's client, the questions that are open, and what was seen. */
import { setMaxListeners } from "node:events"
import type { Question } from "./Answers.js"
import type { Client } from "./Client.js"
import type { Random } from "./Random.js"
import type { Attempt, Demand } from "./Verdict.js"

export interface Counts {
  runs: number
  asked: number
  answered: number
  killed: number
  restarts: number
  cancels: number
  cuts: number
}

export interface World {
  readonly client: Client
  readonly random: (name: string) => Random
  readonly counts: Counts
  /** The questions that wait for an answer, as the viewers saw them. */
  readonly open: Map<string, Question>
  readonly attempts: Array<Attempt>
  /** The restarts that were asked for and accepted. */
  readonly demands: Array<Demand>
  readonly faults: Array<string>
  readonly fault: (what: string) => void
  /** From here on nobody begins anything. */
  readonly stop: () => void
  readonly stopping: () => boolean
  /** Waits so long, or until the soak stops. */
  readonly sleep: (millis: number) => Promise<void>
}

export const make = (client: Client, random: (name: string) => Random): World => {
  const faults: Array<string> = []
  const end = new AbortController()
  // every actor that sleeps listens
  setMaxListeners(0, end.signal)
  return {
    client,
    random,
    counts: { runs: 0, asked: 0, answered: 0, killed: 0, restarts: 0, cancels: 0, cuts: 0 },
    open: new Map(),
    attempts: [],
    demands: [],
    faults,
    // the first tell what is wrong
    fault: (what) => faults.length < 1000 && faults.push(what),
    stop: () => end.abort(),
    stopping: () => end.signal.aborted,
    sleep: (millis) =>
      new Promise((resolve) => {
        if (end.signal.aborted) return resolve()
        const done = () => {
          clearTimeout(timer)
          end.signal.removeEventListener("abort", done)
          resolve()
        }
        const timer = setTimeout(done, millis)
        end.signal.addEventListener("abort", done)
      })
  }
}

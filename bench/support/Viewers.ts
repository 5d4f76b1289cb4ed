/** SSE clients in a process of their own, the same for Holdfast and for the bare implementation that it is measured against. */
import { fork } from "node:child_process"
import { fileURLToPath } from "node:url"

export interface Viewing {
  readonly url: string
  readonly clients: number
  /** So many of them never read. */
  readonly stuck: number
  /** Frames that each is sent at first. */
  readonly before: number
}

/** A request, and how many frames every client that reads is then sent. */
export interface Round {
  readonly url: string
  readonly body: string
  readonly frames: number
}

/** Each returns the seconds until the last client that reads had its last frame. */
export interface Viewers {
  /** New clients; those from before are read no longer than they are. */
  readonly open: (viewing: Viewing) => Promise<number>
  readonly round: (round: Round) => Promise<number>
  readonly stop: () => void
}

export const make = (): Viewers => {
  const child = fork(fileURLToPath(new URL("counting.ts", import.meta.url)), { execArgv: ["--import", "tsx"] })
  const tell = (message: Viewing | Round) =>
    new Promise<number>((resolve, reject) => {
      const gone = (code: number | null) => reject(new Error(`the viewers ended with ${code}`))
      child.once("exit", gone)
      child.once("message", (seconds: number) => {
        child.off("exit", gone)
        resolve(seconds)
      })
      child.send(message)
    })
  return { open: tell, round: tell, stop: () => child.disconnect() }
}

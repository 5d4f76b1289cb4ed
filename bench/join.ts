/**
 * A client that asks for 100,000 events of history, against a bare `node:http` server that reads them straight from the same database
 * and writes them.
 */
import * as path from "node:path"
import type { Result } from "./main.js"
import * as Client from "./support/Client.js"
import { bareHistory, gateway } from "./support/Program.js"
import * as Viewers from "./support/Viewers.js"

const events = 100_000
const rounds = 7

const median = (values: ReadonlyArray<number>) => values.toSorted((a, b) => a - b)[values.length >> 1] ?? NaN

export default async (): Promise<Result> => {
  const ours = await gateway()
  const { id } = await Client.call<{ id: string }>("POST", `${ours.url}/v1/sessions`, { agent: "demo" })
  const session = `${ours.url}/v1/sessions/${id}`
  const ended = new Promise<void>((resolve, reject) => {
    Client.follow(`${session}/events`, (data) => data.includes("\"RunEnded\"") ? resolve() : undefined).catch(reject)
  })
  await Client.call("POST", `${session}/runs`, { prompt: `/stream ${events}` })
  await ended
  const { head } = await Client.call<{ head: number }>("GET", session)

  const theirs = await bareHistory(path.join(ours.folder, "holdfast.db"))
  const viewers = Viewers.make()
  // with `retry`
  const join = (url: string) => viewers.open({ url, clients: 1, stuck: 0, before: head + 1 })
  const rates: { readonly ours: Array<number>; readonly theirs: Array<number> } = { ours: [], theirs: [] }
  // in turns, so that a busy machine is busy for both; the first of each warms up
  for (let round = -1; round < rounds; round++) {
    const rate = { theirs: head / await join(theirs.url), ours: head / await join(`${session}/events?follow=false`) }
    if (round < 0) continue
    rates.theirs.push(rate.theirs)
    rates.ours.push(rate.ours)
  }
  viewers.stop()
  for (const server of [ours, theirs]) await server.stop()
  const ratio = median(rates.ours.map((rate, round) => rate / (rates.theirs[round] ?? NaN)))
  return {
    name: "join: events of history a second, of those read straight from the database and written",
    ratio,
    target: ">= 0.5",
    ok: ratio >= 0.5,
    details: {
      "holdfast, events/s": Math.round(median(rates.ours)),
      "bare, events/s": Math.round(median(rates.theirs))
    }
  }
}

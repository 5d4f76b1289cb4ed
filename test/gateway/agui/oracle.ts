/**
 * The official client as a judge of AG-UI streams: its schemas, its verifier, and the conversation that it makes of them.
 */
import { AbstractAgent, type BaseEvent, defaultApplyEvents, type Message, verifyEvents } from "@ag-ui/client"
import type { AGUIEvent } from "@ag-ui/core"
import { EventSchemas } from "@ag-ui/core/schemas"
import { from, lastValueFrom, toArray } from "rxjs"

/** As they come over the wire. */
const sent = (events: ReadonlyArray<AGUIEvent>): ReadonlyArray<BaseEvent> =>
  events.map((event) => {
    const json = JSON.parse(JSON.stringify(event))
    // the client warns of what it does not know and drops it; here that is a fault
    const parsed = EventSchemas.safeParse(json)
    if (!parsed.success) throw new Error(`${event.type}: ${parsed.error.message}`)
    return json
  })

/** Throws what the client would. A stream of whole runs ends with a run's end. */
export const verify = (events: ReadonlyArray<AGUIEvent>): void => {
  let failed: unknown
  from(sent(events)).pipe(verifyEvents()).subscribe({ error: (error) => failed = error })
  if (failed !== undefined) throw failed
}

class Replayed extends AbstractAgent {
  run() {
    return from<Array<BaseEvent>>([])
  }
}

export interface Client {
  readonly messages: Array<Message>
  readonly state: unknown
}

/** What a client has after these events that had this before. */
export const apply = async (
  events: ReadonlyArray<AGUIEvent>,
  before: Client = { messages: [], state: {} }
): Promise<Client> => {
  const agent = new Replayed({ initialMessages: before.messages })
  const input = {
    threadId: "t",
    runId: "r",
    messages: before.messages,
    state: before.state,
    tools: [],
    context: [],
    forwardedProps: {}
  }
  const changes = await lastValueFrom(
    defaultApplyEvents(input, from([...sent(events)]), agent, []).pipe(toArray())
  )
  let { messages, state } = before
  for (const change of changes) {
    messages = change.messages ?? messages
    state = change.state ?? state
  }
  return { messages, state }
}

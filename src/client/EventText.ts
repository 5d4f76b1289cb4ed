/**
 * The stored events in the text of an SSE body.
 *
 * @since 0.1.0
 */
import { createParser } from "eventsource-parser"

/** `json` is the stored event as the log has it. @since 0.1.0 */
export interface EventText {
  readonly seq: number
  readonly json: string
}

/**
 * The reader of one body. Its function takes the next piece and returns the events that are complete with it;
 * `onAlive` is called with everything that only a connection that works can bring: events and heartbeats.
 *
 * @since 0.1.0
 */
export const reader = (onAlive: () => void): (piece: string) => ReadonlyArray<EventText> => {
  let events: Array<EventText> = []
  const parser = createParser({
    onEvent: ({ data, id }) => {
      onAlive()
      // what has no number is none of the log's
      if (id !== undefined && id !== "") events.push({ seq: Number(id), json: data })
    },
    onComment: onAlive
  })
  return (piece) => {
    events = []
    parser.feed(piece)
    return events
  }
}

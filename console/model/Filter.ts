/** The log's entries that fit a filter, kept up as it grows. */
import type { Entry } from "../api/Feed.js"

export interface Wanted {
  /** Found anywhere in the event, whatever the case; empty: all. */
  readonly text: string
  /** Empty: all. */
  readonly type: string
}

export interface Running {
  readonly wanted: Wanted
  readonly entries: ReadonlyArray<Entry>
  /** How much of the log has been looked at. */
  readonly seen: number
  readonly found: ReadonlyArray<Entry>
  /** How many entries of each type there are. */
  readonly types: ReadonlyMap<string, number>
}

const fits = ({ text, type }: Wanted) => {
  const needle = text.trim().toLowerCase()
  return (entry: Entry) =>
    (type === "" || entry.type === type) && (needle === "" || entry.json.toLowerCase().includes(needle))
}

/** Looks only at what is new, unless the filter is, or the log began again. */
export const run = (
  before: Running | undefined,
  entries: ReadonlyArray<Entry>,
  length: number,
  wanted: Wanted
): Running => {
  const same = before !== undefined && before.entries === entries && before.wanted.text === wanted.text &&
    before.wanted.type === wanted.type
  if (same && before.seen === length) return before
  const [from, found, types] = same ? [before.seen, before.found, before.types] : [0, [], new Map<string, number>()]
  const fresh = entries.slice(from, length)
  const counts = new Map(types)
  for (const { type } of fresh) counts.set(type, (counts.get(type) ?? 0) + 1)
  return { wanted, entries, seen: length, found: [...found, ...fresh.filter(fits(wanted))], types: counts }
}

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null

/** One line about it, of what it has beside its type. */
export const summarise = ({ json }: Entry): { readonly at: string; readonly text: string } => {
  const stored: unknown = JSON.parse(json)
  if (!isRecord(stored) || !isRecord(stored["event"])) return { at: "", text: json }
  const { type: _, ...event } = stored["event"]
  const [only, ...others] = Object.values(event)
  const text = typeof only === "string" && others.length === 0 ? only : JSON.stringify(event)
  return { at: typeof stored["at"] === "string" ? stored["at"] : "", text: text === "{}" ? "" : text.slice(0, 400) }
}

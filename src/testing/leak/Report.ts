/**
 * Leaks as text: how many, one block for each, and how such things are put right.
 *
 * @since 0.1.0
 */
import type { Kind, Leak } from "./Leak.js"

const hints: Readonly<Record<Kind, string>> = {
  fiber:
    "A fiber ends with a scope: Effect.forkScoped, FiberSet, FiberMap; interrupt it and await it. It is named by Effect.withSpan.",
  timer: "A timer is cleared in a finalizer, or is an Effect.sleep.",
  socket: "A socket is destroyed in a finalizer, and a response body is read or cancelled.",
  server: "A server is closed in a finalizer that waits for its connections.",
  watcher: "A watcher is closed in a finalizer.",
  worker: "A thread is terminated in a finalizer that waits for it.",
  port: "A message port is closed in a finalizer.",
  process: "A process is killed with its group (spawn it detached, kill -pid) in a finalizer that waits for its end."
}

const age = (millis: number): string => millis < 10_000 ? `${Math.round(millis)} ms` : `${Math.round(millis / 1000)} s`

/** The same thing many times, from the same line, is told once. */
const grouped = (leaks: ReadonlyArray<Leak>): ReadonlyArray<{ readonly leak: Leak; readonly times: number }> => {
  const groups = new Map<string, { readonly leak: Leak; times: number }>()
  for (const leak of leaks) {
    const key = leak.kind === "fiber" ? leak.what : JSON.stringify([leak.kind, leak.what, leak.stack])
    const group = groups.get(key)
    if (group === undefined) groups.set(key, { leak, times: 1 })
    else group.times++
  }
  return Array.from(groups.values())
}

const block = ({ leak, times }: { readonly leak: Leak; readonly times: number }): string =>
  [
    `- ${leak.kind} ${leak.what}, ${age(leak.age)} old${times === 1 ? "" : `, and ${times - 1} more like it`}`,
    ...leak.details.map(([label, text]) => `    ${label.padEnd(11)} ${text}`)
  ].join("\n")

/** @since 0.1.0 */
export const render = (leaks: ReadonlyArray<Leak>): string => {
  const kinds = new Set(leaks.map(({ kind }) => kind))
  return [
    leaks.length === 1
      ? "1 leak: it is still alive after the end."
      : `${leaks.length} leaks: they are still alive after the end.`,
    ...grouped(leaks).map(block),
    Array.from(kinds, (kind) => hints[kind]).join("\n")
  ].join("\n\n")
}

/**
 * The output of the agent's terminals as text for an editor, which cannot show them: they are Holdfast's.
 *
 * Only the end of an output is kept: what a person looks at, and small enough to be sent anew whenever there is more.
 *
 * @since 0.1.0
 */
import { stripVTControlCharacters } from "node:util"

/** @since 0.1.0 */
export interface Terminals {
  /** The end of each one's output, the one that has spoken last at the end. */
  readonly outputs: ReadonlyMap<string, string>
  /** Those with output that has not been told. */
  readonly stale: ReadonlySet<string>
}

/** @since 0.1.0 */
export const none: Terminals = { outputs: new Map(), stale: new Set() }

/** In characters. */
const kept = 16 * 1024
/** How many terminals are remembered. */
const remembered = 32

/** @since 0.1.0 */
export const append = ({ outputs, stale }: Terminals, id: string, data: string): Terminals => {
  const before = outputs.get(id) ?? ""
  const rest = Array.from(outputs).filter(([each]) => each !== id).slice(1 - remembered)
  return { outputs: new Map([...rest, [id, (before + data).slice(-kept)]]), stale: new Set(stale).add(id) }
}

/** @since 0.1.0 */
export const told = ({ outputs }: Terminals): Terminals => ({ outputs, stale: new Set() })

/**
 * A block of code: agents repeat files and web pages, and none of that is markup, or a command to a terminal.
 *
 * @since 0.1.0
 */
export const shown = ({ outputs }: Terminals, id: string): string => {
  const text = stripVTControlCharacters(outputs.get(id) ?? "").replace(/\r\n?/g, "\n")
  const longest = Math.max(2, ...Array.from(text.matchAll(/`+/g), ([ticks]) => ticks.length))
  const fence = "`".repeat(longest + 1)
  return `${fence}\n${text.endsWith("\n") || text === "" ? text : `${text}\n`}${fence}`
}

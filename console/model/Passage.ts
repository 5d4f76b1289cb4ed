/**
 * Long texts in parts, so that a list which shows only what is in view has something to leave out, and a frame has only the last part
 * to parse again. Pure.
 */

/** From here on a text is cut where a block ends. */
const soft = 6_000
/** And here at the latest, wherever that is. */
const hard = 24_000
/** How often a growing text is looked at. */
const stride = 2_048

const fence = /^ {0,3}(`{3,}|~{3,})([^`]*)$/
/** What goes on with the block before the empty line: a list, a quote, a table, something indented. */
const continuation = /^(\s|[>|]|[-*+]\s|\d+[.)]\s)/

interface Cut {
  readonly at: number
  /** What the second half must begin with to be read as it was: the fence of a code block. */
  readonly opening: string
}

const afterLast = (text: string, mark: string) => {
  const at = text.lastIndexOf(mark, hard - 1)
  return at < hard / 2 ? undefined : at + mark.length
}

/** Not between the halves of a character. */
const whole = (text: string, at: number) => {
  const code = text.charCodeAt(at)
  return code >= 0xdc00 && code <= 0xdfff ? at - 1 : at
}

const findCut = (text: string): Cut | undefined => {
  if (text.length < soft) return
  let open = ""
  let blockEnd: number | undefined
  let openAtHard = ""
  let emptyBefore = false
  for (let from = 0; from < text.length;) {
    const newline = text.indexOf("\n", from)
    const line = text.slice(from, newline === -1 ? text.length : newline)
    if (from <= hard) {
      if (from > 0 && emptyBefore && open === "" && line !== "" && !continuation.test(line)) blockEnd = from
      openAtHard = open
    }
    const [, marks] = fence.exec(line) ?? []
    if (marks !== undefined) {
      // a cut part begins with it again, so it must stay short
      if (open === "") open = line.trim().slice(0, whole(line.trim(), marks.length + 32))
      else if (marks.startsWith(/^(`+|~+)/.exec(open)?.[0] ?? "")) open = ""
    }
    emptyBefore = line.trim() === ""
    if (newline === -1) break
    from = newline + 1
  }
  if (blockEnd !== undefined && blockEnd >= soft / 4) return { at: blockEnd, opening: "" }
  if (text.length < hard) return
  const at = afterLast(text, "\n") ?? afterLast(text, " ") ?? whole(text, hard)
  return { at, opening: openAtHard === "" ? "" : `${openAtHard}\n` }
}

/**
 * The parts of `before` with `added` at its end: one, as long as it is short. All but the last are final.
 */
export const extend = (before: string, added: string): ReadonlyArray<string> => {
  let text = before + added
  if (Math.floor(before.length / stride) === Math.floor(text.length / stride) && text.length < hard) return [text]
  const parts: Array<string> = []
  for (let cut = findCut(text); cut !== undefined; cut = findCut(text)) {
    parts.push(text.slice(0, cut.at))
    text = cut.opening + text.slice(cut.at)
  }
  parts.push(text)
  return parts
}

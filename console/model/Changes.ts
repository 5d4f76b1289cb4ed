/** The lines of a diff, out of a file before and after. Pure. */
import { structuredPatch } from "diff"

export interface Line {
  readonly kind: "added" | "removed" | "same" | "gap"
  readonly text: string
  /** Its number in the file as it is after the change, or before it if it is removed. */
  readonly number: number | undefined
}

export interface Changes {
  readonly lines: ReadonlyArray<Line>
  readonly added: number
  readonly removed: number
}

const gap: Line = { kind: "gap", text: "", number: undefined }

/** Each line with three around it. Files that differ too much to compare in time are shown one after the other. */
export const compare = (before: string, after: string): Changes => {
  const patch = structuredPatch("", "", before, after, "", "", { context: 3, timeout: 250 })
  const hunks = patch?.hunks ?? [{
    oldStart: 1,
    newStart: 1,
    lines: [...before.split("\n").map((line) => `-${line}`), ...after.split("\n").map((line) => `+${line}`)]
  }]
  let [added, removed] = [0, 0]
  const lines = hunks.flatMap((hunk, index): ReadonlyArray<Line> => {
    let [old, now] = [hunk.oldStart, hunk.newStart]
    const shown = hunk.lines.flatMap((line): ReadonlyArray<Line> => {
      const text = line.slice(1)
      switch (line[0]) {
        case "+":
          added++
          return [{ kind: "added", text, number: now++ }]
        case "-":
          removed++
          return [{ kind: "removed", text, number: old++ }]
        case " ":
          old++
          return [{ kind: "same", text, number: now++ }]
        default:
          // "\ No newline at end of file"
          return []
      }
    })
    return index === 0 ? shown : [gap, ...shown]
  })
  return { lines, added, removed }
}

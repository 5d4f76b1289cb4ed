/** A line that says how far a long script is: in place on a terminal, and otherwise a line every few seconds. On stderr. */
export interface Progress {
  readonly show: (line: string) => void
  /** What comes after it starts on a line of its own. */
  readonly end: () => void
}

const everyMillis = 5000

export const make = (output: NodeJS.WriteStream = process.stderr): Progress => {
  let last = -Infinity
  let isOpen = false
  return {
    show: (line) => {
      if (output.isTTY) {
        // no wider than the terminal: a line that wraps cannot be written over
        output.write(`\r\x1b[K${line.slice(0, (output.columns ?? 80) - 1)}`)
        isOpen = true
      } else if (performance.now() - last >= everyMillis) {
        last = performance.now()
        output.write(`${line}\n`)
      }
    },
    end: () => {
      if (isOpen) output.write("\n")
      isOpen = false
    }
  }
}

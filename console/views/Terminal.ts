/** A terminal without a screen of its own, in a file of its own: it turns control sequences into rows of coloured text. */
import { type IBufferCell, Terminal } from "@xterm/headless"

export interface Piece {
  readonly text: string
  /** Of the sixteen colours, which the stylesheet knows, and of the weight. */
  readonly class: string
  /** Of any other. */
  readonly color: { readonly color?: string; readonly backgroundColor?: string } | undefined
}
export type Row = ReadonlyArray<Piece>

export interface Screen {
  /** The last rows after this output, about `count` of them; `dropped` characters of it came before. */
  readonly show: (text: string, dropped: number, count: number) => Promise<ReadonlyArray<Row>>
  readonly close: () => void
}

const levels = [0, 95, 135, 175, 215, 255]

/** A colour of the palette of 256, beyond the first sixteen. */
const ofPalette = (index: number): string => {
  if (index >= 232) return `rgb(${[0, 0, 0].map(() => 8 + (index - 232) * 10).join(" ")})`
  const cube = index - 16
  return `rgb(${[Math.floor(cube / 36), Math.floor(cube / 6) % 6, cube % 6].map((level) => levels[level]).join(" ")})`
}

const ofNumber = (rgb: number): string => `#${rgb.toString(16).padStart(6, "0")}`

const classOf = (cell: IBufferCell): string =>
  [
    cell.isFgPalette() && cell.getFgColor() < 16 ? `fg-${cell.getFgColor()}` : "",
    cell.isBgPalette() && cell.getBgColor() < 16 ? `bg-${cell.getBgColor()}` : "",
    cell.isBold() !== 0 ? "bold" : "",
    cell.isItalic() !== 0 ? "italic" : "",
    cell.isUnderline() !== 0 ? "underline" : "",
    cell.isDim() !== 0 ? "dim" : "",
    cell.isInverse() !== 0 ? "inverse" : ""
  ].filter((name) => name !== "").join(" ")

const colorOf = (cell: IBufferCell): Piece["color"] => {
  const color = cell.isFgRGB()
    ? { color: ofNumber(cell.getFgColor()) }
    : cell.isFgPalette() && cell.getFgColor() >= 16
    ? { color: ofPalette(cell.getFgColor()) }
    : {}
  const ground = cell.isBgRGB()
    ? { backgroundColor: ofNumber(cell.getBgColor()) }
    : cell.isBgPalette() && cell.getBgColor() >= 16
    ? { backgroundColor: ofPalette(cell.getBgColor()) }
    : {}
  const both = { ...color, ...ground }
  return Object.keys(both).length === 0 ? undefined : both
}

const height = 24

const rowsOf = (terminal: Terminal, count: number): ReadonlyArray<Row> => {
  const buffer = terminal.buffer.active
  const rows: Array<Array<Piece>> = []
  for (let y = Math.max(0, buffer.length - height - count); y < buffer.length; y++) {
    const line = buffer.getLine(y)
    if (line === undefined) continue
    // a line that was too long for the terminal is one line all the same
    const pieces = line.isWrapped ? rows.at(-1) ?? [] : []
    const width = line.translateToString(true).length
    for (let x = 0; x < width; x++) {
      const cell = line.getCell(x)
      if (cell === undefined || cell.getWidth() === 0) continue
      const [name, color, text] = [classOf(cell), colorOf(cell), cell.getChars() || " "]
      const last = pieces.at(-1)
      if (last !== undefined && last.class === name && JSON.stringify(last.color) === JSON.stringify(color)) {
        pieces[pieces.length - 1] = { ...last, text: last.text + text }
      } else pieces.push({ text, class: name, color })
    }
    if (!line.isWrapped) rows.push(pieces)
  }
  while (rows.at(-1)?.length === 0) rows.pop()
  return rows
}

export const makeScreen = (): Screen => {
  const terminal = new Terminal({
    cols: 160,
    rows: height,
    scrollback: 2_000,
    convertEol: true,
    allowProposedApi: true
  })
  /** How much of the output it has, the part that is no longer kept included. */
  let written = 0
  return {
    show: (text, dropped, count) =>
      new Promise((resolve) => {
        const from = written - dropped
        if (from < 0 || from > text.length) terminal.reset()
        written = dropped + text.length
        terminal.write(from < 0 || from > text.length ? text : text.slice(from), () => resolve(rowsOf(terminal, count)))
      }),
    close: () => terminal.dispose()
  }
}

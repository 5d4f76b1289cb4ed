/**
 * The few terminal controls that the program uses, and their removal from what others say.
 *
 * @since 0.1.0
 */
import { stripVTControlCharacters } from "node:util"

const sgr = (code: number) => (text: string): string => text === "" ? "" : `\u001b[${code}m${text}\u001b[0m`

/** @since 0.1.0 */
export interface Palette {
  readonly bold: (text: string) => string
  readonly dim: (text: string) => string
  readonly red: (text: string) => string
  readonly green: (text: string) => string
  readonly yellow: (text: string) => string
  readonly cyan: (text: string) => string
}

const plain = (text: string): string => text

/** @since 0.1.0 */
export const palette = (color: boolean): Palette =>
  color
    ? { bold: sgr(1), dim: sgr(2), red: sgr(31), green: sgr(32), yellow: sgr(33), cyan: sgr(36) }
    : { bold: plain, dim: plain, red: plain, green: plain, yellow: plain, cyan: plain }

/** Moves to the start of the line `lines` above and erases everything from there on. @since 0.1.0 */
export const eraseUp = (lines: number): string => lines === 0 ? "" : `\u001b[${lines}A\r\u001b[0J`

/** Erases the cursor's line. @since 0.1.0 */
export const eraseLine = "\r\u001b[2K"

/**
 * A line that takes exactly one row: the terminal cuts it at its right edge instead of wrapping it, so it can be found again by
 * counting rows, whatever the width of its characters.
 *
 * @since 0.1.0
 */
export const oneRow = (line: string): string => `\u001b[?7l${line}\u001b[?7h\n`

/**
 * What an agent says, without what a terminal would obey: an agent repeats files and web pages, and those must not move the cursor
 * or set the clipboard of the person who reads them.
 *
 * @since 0.1.0
 */
export const printable = (text: string): string =>
  stripVTControlCharacters(text).replace(/\r\n?/g, "\n")
    // what turns the order of letters around makes one command look like another
    // eslint-disable-next-line no-control-regex
    .replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g, "")

/** The same, in one line. @since 0.1.0 */
export const oneLine = (text: string): string => printable(text).replace(/\s+/g, " ").trim()

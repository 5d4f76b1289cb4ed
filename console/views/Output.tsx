/**
 * What a command wrote. A terminal's control sequences are read by a terminal, whose screen is then shown as text: it can be selected,
 * searched and read aloud, and nothing in it can do more than colour a word.
 */
import { memo } from "preact/compat"
import { useEffect, useRef, useState } from "preact/hooks"
import type * as Items from "../model/Items.js"
import type { Row, Screen } from "./Terminal.js"

// eslint-disable-next-line no-control-regex
const controls = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f]|\r(?!\n)/
// eslint-disable-next-line no-control-regex
const all = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g
const few = 200

/** Its rows, while it writes control sequences; nothing before the terminal is loaded. */
const useScreen = (
  { dropped, text }: Items.Output,
  needed: boolean,
  count: number
): ReadonlyArray<Row> | undefined => {
  const screen = useRef<Screen | undefined>(undefined)
  const [rows, setRows] = useState<ReadonlyArray<Row>>()
  useEffect(() => {
    if (!needed) return
    let wanted = true
    const show = async () => {
      const { makeScreen } = await import("./Terminal.js")
      screen.current ??= makeScreen()
      const shown = await screen.current.show(text, dropped, count)
      if (wanted) setRows(shown)
    }
    // without a terminal it is still the text
    const timer = setTimeout(() => show().catch(() => {}), 60)
    return () => {
      wanted = false
      clearTimeout(timer)
    }
  }, [text, dropped, needed, count])
  useEffect(() => () => screen.current?.close(), [])
  return needed ? rows : undefined
}

const Rows = ({ rows }: { readonly rows: ReadonlyArray<Row> }) => (
  <>
    {rows.map((row, index) => (
      <span key={index}>
        {row.map(({ class: name, color, text }, at) =>
          name === "" && color === undefined ? text : <span key={at} class={name} style={color}>{text}</span>
        )}
        {"\n"}
      </span>
    ))}
  </>
)

const lastLines = (text: string, count: number): string => {
  let from = text.length
  for (let lines = 0; lines <= count && from > 0; lines++) from = text.lastIndexOf("\n", from - 1)
  return from <= 0 ? text : text.slice(from + 1)
}

export const Output = memo(({ label, output }: { readonly output: Items.Output; readonly label: string }) => {
  const [whole, setWhole] = useState(false)
  const box = useRef<HTMLPreElement>(null)
  const atEnd = useRef(true)
  // one more tells that there are more
  const rows = useScreen(output, controls.test(output.text), whole ? Infinity : few + 1)
  const plain = output.text.replace(all, "")
  const shown = whole ? plain : lastLines(plain, few)
  const cut = output.dropped > 0 || (rows === undefined ? shown.length < plain.length : rows.length > few && !whole)
  useEffect(() => {
    if (atEnd.current) box.current?.scrollTo({ top: box.current.scrollHeight })
  }, [output, rows])
  if (output.text === "") return null
  return (
    <figure class="output">
      {cut && (
        <figcaption>
          {output.dropped > 0 && whole
            ? "What was before is in the log"
            : <button type="button" class="more" onClick={() => setWhole(true)}>Show what was before</button>}
        </figcaption>
      )}
      <pre
        ref={box}
        tabIndex={0}
        aria-label={label}
        role="region"
        onScroll={({ currentTarget: { clientHeight, scrollHeight, scrollTop } }) => {
          atEnd.current = scrollHeight - scrollTop - clientHeight < 24
        }}
      >{rows === undefined ? shown : <Rows rows={whole ? rows : rows.slice(-few)} />}</pre>
    </figure>
  )
})

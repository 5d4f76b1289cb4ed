/** A block of code. Its colours come later, from a file of their own, if its language is known. */
import type { ComponentChildren } from "preact"
import { memo } from "preact/compat"
import { useEffect, useState } from "preact/hooks"
import { Copy } from "./Copy.js"
import type { Line } from "./Highlight.js"

/** More than that is shown as it is. */
const maxHighlighted = 40_000

/** The lines with their colours once they are known. While a text still grows it is left alone. */
export const useHighlight = (text: string, language: string): ReadonlyArray<Line> | undefined => {
  const [highlighted, setHighlighted] = useState<{ readonly text: string; readonly lines: ReadonlyArray<Line> }>()
  useEffect(() => {
    if (language === "" || text.length > maxHighlighted) return
    let wanted = true
    const colour = async () => {
      const { highlight } = await import("./Highlight.js")
      const lines = await highlight(text, language)
      if (wanted && lines !== undefined) setHighlighted({ text, lines })
    }
    // without its colours it is still the code
    const timer = setTimeout(() => colour().catch(() => {}), 120)
    return () => {
      wanted = false
      clearTimeout(timer)
    }
  }, [text, language])
  return highlighted?.text === text ? highlighted.lines : undefined
}

export const Tokens = ({ line }: { readonly line: Line }): ComponentChildren =>
  line.map(({ color, content }, index) => <span key={index} style={{ color }}>{content}</span>)

export const Code = memo(({ caption, language, text }: {
  readonly text: string
  readonly language: string
  /** The language, unless something else is said. */
  readonly caption?: string
}) => {
  const lines = useHighlight(text, language)
  return (
    <figure class="code">
      <figcaption>
        <span>{caption ?? language}</span>
        <Copy text={text} what="code" />
      </figcaption>
      <pre tabIndex={0}><code>{lines === undefined ? text : lines.map((line, index) => (
        <span key={index}>{index === 0 ? "" : "\n"}<Tokens line={line} /></span>
      ))}</code></pre>
    </figure>
  )
})

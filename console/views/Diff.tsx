/** What a tool call changes in one file. */
import { memo } from "preact/compat"
import { useEffect, useState } from "preact/hooks"
import type { Changes } from "../model/Changes.js"
import { Icon } from "./Icon.js"
import { Path } from "./Path.js"

const signs = { added: "+", removed: "−", same: " ", gap: "" }
const words = { added: "added ", removed: "removed ", same: "", gap: "" }
const few = 60

const none: Changes = { lines: [], added: 0, removed: 0 }

/** What compares is in a file of its own, which the first change loads. */
const useChanges = (before: string, after: string): Changes => {
  const [changes, setChanges] = useState(none)
  useEffect(() => {
    let wanted = true
    const compare = async () => {
      const { compare } = await import("../model/Changes.js")
      if (wanted) setChanges(compare(before, after))
    }
    // without it there is still the file as it will be
    const lines = () => after.split("\n").map((text, index) => ({ kind: "same" as const, text, number: index + 1 }))
    compare().catch(() => wanted && setChanges({ lines: lines(), added: 0, removed: 0 }))
    return () => {
      wanted = false
    }
  }, [before, after])
  return changes
}

export const Diff = memo(({ newText, oldText, path }: {
  readonly path: string
  readonly oldText: string | null | undefined
  readonly newText: string
}) => {
  const [all, setAll] = useState(false)
  const { added, lines, removed } = useChanges(oldText ?? "", newText)
  const shown = all ? lines : lines.slice(0, few)
  return (
    <figure class="diff">
      <figcaption>
        <Icon name="file" />
        <Path path={path} />
        <span class="counts">
          {added > 0 && <span class="added">+{added}</span>}
          {removed > 0 && <span class="removed">−{removed}</span>}
          {oldText == null && <span class="new">new file</span>}
        </span>
      </figcaption>
      <pre tabIndex={0}><code>{shown.map(({ kind, number, text }, index) => (
        <span key={index} class={`line ${kind}`}>
          <span class="number" aria-hidden>{number}</span>
          <span class="sign" aria-hidden>{signs[kind]}</span>
          {words[kind] !== "" && <span class="unseen">{words[kind]}</span>}
          {kind === "gap" ? "⋯" : text}{"\n"}
        </span>
      ))}</code></pre>
      {shown.length < lines.length && (
        <button type="button" class="more" onClick={() => setAll(true)}>
          Show all {lines.length.toLocaleString("en")} lines
        </button>
      )}
    </figure>
  )
})

/**
 * What is folded, and opens on demand. It stays open when the list takes it out of view and puts it back.
 */
import type { ComponentChildren } from "preact"
import { useId, useState } from "preact/hooks"
import { Icon } from "./Icon.js"

const open = new Map<string, boolean>()

export const Disclosure = ({ children, class: className = "", id, initially = false, summary }: {
  /** By which it is known again. */
  readonly id: string
  readonly class?: string
  readonly initially?: boolean
  readonly summary: ComponentChildren
  /** Made when it is open. */
  readonly children: () => ComponentChildren
}) => {
  const [, draw] = useState(0)
  const body = useId()
  const isOpen = open.get(id) ?? initially
  const toggle = () => {
    open.set(id, !isOpen)
    draw((count) => count + 1)
  }
  return (
    <div class={`disclosure ${className}`} data-open={isOpen}>
      <button
        type="button"
        class="summary"
        aria-expanded={isOpen}
        aria-controls={isOpen ? body : undefined}
        onClick={toggle}
      >
        <Icon name="chevron" />
        {summary}
      </button>
      {isOpen && <div id={body} class="body">{children()}</div>}
    </div>
  )
}

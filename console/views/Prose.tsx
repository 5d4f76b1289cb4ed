/**
 * What an agent says, in Markdown. What reads it is in a file of its own, which is fetched at once beside all else; a text that comes
 * before it is shown as it is.
 */
import { signal } from "@preact/signals"
import type { ComponentChildren, VNode } from "preact"
import { memo } from "preact/compat"

const render = signal<((text: string) => ComponentChildren) | undefined>(undefined)

export const load = async (): Promise<void> => {
  const markdown = await import("./Markdown.js")
  render.value = markdown.render
}

const rendered = (text: string): ComponentChildren | undefined => {
  try {
    return render.value?.(text)
  } catch {
    return undefined
  }
}

export const Prose = memo(({ text }: { readonly text: string }): VNode => {
  const parts = rendered(text)
  return <div class="prose">{parts === undefined ? <p class="literal">{text}</p> : parts}</div>
})

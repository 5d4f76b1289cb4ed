/** Copies a text, and says that it did. */
import { useState } from "preact/hooks"
import { announce } from "../state/Announce.js"
import { Icon } from "./Icon.js"

export const Copy = ({ text, what }: { readonly text: string; readonly what: string }) => {
  const [copied, setCopied] = useState(false)
  // a page that is not on localhost and has no TLS may not
  if (!("clipboard" in navigator)) return null
  const copy = async () => {
    await navigator.clipboard.writeText(text)
    setCopied(true)
    announce("Copied")
    setTimeout(() => setCopied(false), 1500)
  }
  return (
    <button type="button" class="copy" aria-label={`Copy ${what}`} onClick={copy}>
      <Icon name={copied ? "check" : "copy"} />
    </button>
  )
}

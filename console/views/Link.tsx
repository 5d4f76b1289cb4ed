/** Links out of what an agent says. */
import type { ComponentChildren } from "preact"

/** Where a link may lead: pages and mail. Anything else is no link. */
export const safeHref = (href: string): string | undefined => {
  const url = URL.canParse(href) ? new URL(href) : undefined
  return url !== undefined && /^(https?|mailto):$/.test(url.protocol) ? url.href : undefined
}

export const ExternalLink = ({ children, href }: { readonly href: string; readonly children: ComponentChildren }) => (
  <a href={href} title={href} target="_blank" rel="noopener noreferrer">{children}</a>
)

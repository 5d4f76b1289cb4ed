/** A session's status: a dot, and the word for it. */
import type { SessionStatus } from "../../src/domain/Session.js"

const words: Readonly<Record<SessionStatus, string>> = {
  starting: "Starting",
  idle: "Idle",
  running: "Running",
  waiting: "Waiting for you",
  restarting: "Restarting",
  closed: "Closed",
  failed: "Failed"
}

export const Status = (
  { status, wordless = false }: { readonly status: SessionStatus; readonly wordless?: boolean }
) => (
  <span class={`session-status ${status}`}>
    <span class="dot" aria-hidden />
    <span class={wordless ? "unseen" : undefined}>{words[status]}</span>
  </span>
)

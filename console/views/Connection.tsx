/** How the page hears from the gateway. What mends itself at once is not worth a word. */
import { useEffect, useState } from "preact/hooks"
import type { State } from "../api/Feed.js"

const grace = 1_200

const Countdown = ({ until }: { readonly until: number }) => {
  const [now, setNow] = useState(() => Date.now())
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 500)
    return () => clearInterval(timer)
  }, [])
  const seconds = Math.ceil((until - now) / 1000)
  return <span>{seconds > 0 ? `trying again in ${seconds} s` : "trying again"}</span>
}

export const Connection = ({ onRetry, state }: { readonly state: State; readonly onRetry: () => void }) => {
  const fine = state._tag === "Live" || state._tag === "Paused"
  const [late, setLate] = useState(false)
  useEffect(() => {
    if (fine) return setLate(false)
    const timer = setTimeout(() => setLate(true), grace)
    return () => clearTimeout(timer)
  }, [fine])
  if (fine || !late || state._tag === "Ended") return null
  return (
    <div class="connection" role="status">
      <span class="pulse" aria-hidden />
      <strong>{state._tag === "Waiting" ? "Not connected" : "Connecting"}</strong>
      {state._tag === "Waiting" && (
        <>
          <Countdown until={state.until} />
          <button type="button" class="plain" onClick={onRetry}>Try now</button>
        </>
      )}
    </div>
  )
}

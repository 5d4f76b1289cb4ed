/** Asks for the gateway's token. */
import { useEffect, useRef, useState } from "preact/hooks"
import { toFailure } from "../api/Gateway.js"
import { unlock, wrong } from "../state/Access.js"
import { Icon, Mark } from "./Icon.js"

export const TokenPage = () => {
  const [token, setToken] = useState("")
  const [trying, setTrying] = useState(false)
  const [problem, setProblem] = useState(wrong.peek() ? "The token of before is no longer the right one." : undefined)
  const field = useRef<HTMLInputElement>(null)
  useEffect(() => field.current?.focus(), [])

  const submit = async () => {
    const given = token.trim()
    if (given === "") return
    setTrying(true)
    setProblem(undefined)
    try {
      await unlock(given)
    } catch (error) {
      const failure = toFailure(error)
      setProblem(failure.status === 401 ? "That is not the right token." : failure.message)
      setTrying(false)
      field.current?.select()
    }
  }

  return (
    <main class="page gate">
      <form
        class="sheet"
        onSubmit={(event) => {
          event.preventDefault()
          void submit()
        }}
      >
        <Mark />
        <h1>This gateway wants a token</h1>
        <p class="lead">
          It is the one that the gateway was started with. It is kept for this tab, until you close it.
        </p>
        <div class="field" data-invalid={problem !== undefined}>
          <label for="token">Token</label>
          <input
            ref={field}
            id="token"
            type="password"
            autoComplete="current-password"
            value={token}
            aria-invalid={problem !== undefined}
            aria-describedby={problem === undefined ? undefined : "token-problem"}
            onInput={({ currentTarget }) => setToken(currentTarget.value)}
          />
          {problem !== undefined && (
            <p id="token-problem" class="error" role="alert">
              <Icon name="warning" />
              {problem}
            </p>
          )}
        </div>
        <div class="answers">
          <button type="submit" class="primary" disabled={trying || token.trim() === ""}>
            {trying ? "Trying…" : "Open"}
          </button>
        </div>
      </form>
    </main>
  )
}

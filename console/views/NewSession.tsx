/** Opens a session: which agent, and where it works. */
import { useEffect, useId, useState } from "preact/hooks"
import { type Agent, type Failure, toFailure } from "../api/Gateway.js"
import { gateway } from "../state/Access.js"
import { attempts, prompts } from "../state/Drafts.js"
import { go, route } from "../state/Route.js"
import * as SessionList from "../state/SessionList.js"
import { Icon } from "./Icon.js"

/** The folders that sessions worked in, the latest first. */
const folders = () => [...new Set(SessionList.sessions.value.map(({ cwd }) => cwd))].slice(0, 12)

const Agents = ({ agents, chosen, onChoose }: {
  readonly agents: ReadonlyArray<Agent>
  readonly chosen: string
  readonly onChoose: (name: string) => void
}) => (
  <fieldset class="agents">
    <legend>Agent</legend>
    {agents.map(({ description, name }) => (
      <label key={name} class="agent">
        <input type="radio" name="agent" value={name} checked={name === chosen} onChange={() => onChoose(name)} />
        <span>
          <strong>{name}</strong>
          <small>{description}</small>
        </span>
      </label>
    ))}
  </fieldset>
)

export const NewSession = () => {
  const [agents, setAgents] = useState<ReadonlyArray<Agent>>()
  const [agent, setAgent] = useState("")
  const [cwd, setCwd] = useState("")
  const [prompt, setPrompt] = useState("")
  const [starting, setStarting] = useState(false)
  const [failure, setFailure] = useState<Failure>()
  const [folderField, promptField, list] = [useId(), useId(), useId()]

  const load = async () => {
    setFailure(undefined)
    try {
      const known = await gateway.agents()
      setAgents(known)
      setAgent((chosen) => known.some(({ name }) => name === chosen) ? chosen : known[0]?.name ?? "")
    } catch (error) {
      setFailure(toFailure(error))
    }
  }
  useEffect(() => void load(), [])

  const start = async () => {
    if (starting) return
    setStarting(true)
    setFailure(undefined)
    try {
      const session = await gateway.create({ agent, ...cwd.trim() === "" ? {} : { cwd: cwd.trim() } })
      SessionList.add(session)
      if (prompt.trim() !== "") {
        // if it does not get there, it is in the message box of the session
        prompts.set(session.id, prompt)
        attempts.set(session.id, { text: prompt, key: session.id })
        await gateway.prompt(session.id, prompt, "queue", session.id).then(
          () => {
            prompts.set(session.id, undefined)
            attempts.set(session.id, undefined)
          },
          () => {}
        )
      }
      // who has gone elsewhere meanwhile finds it in the list
      if (route.peek()._tag === "New") go({ _tag: "Session", id: session.id, tab: "conversation" })
    } catch (error) {
      setFailure(toFailure(error))
      setStarting(false)
    }
  }

  return (
    <main class="page">
      <form
        class="sheet"
        onSubmit={(event) => {
          event.preventDefault()
          void start()
        }}
      >
        <h1>New session</h1>
        {agents === undefined && failure === undefined && <p class="nothing">Looking for agents…</p>}
        {agents?.length === 0 && (
          <p class="nothing">
            No agent is configured. Put one into{" "}
            <code>holdfast.yaml</code>, or install one that speaks the Agent Client Protocol.
          </p>
        )}
        {agents !== undefined && agents.length > 0 && <Agents agents={agents} chosen={agent} onChoose={setAgent} />}
        <div class="field">
          <label for={folderField}>
            Working folder <small class="optional">optional</small>
          </label>
          <input
            id={folderField}
            type="text"
            class="mono"
            list={list}
            value={cwd}
            placeholder="where the gateway runs"
            autoComplete="off"
            spellcheck={false}
            onInput={({ currentTarget }) => setCwd(currentTarget.value)}
          />
          <datalist id={list}>{folders().map((folder) => <option key={folder} value={folder} />)}</datalist>
        </div>
        <div class="field">
          <label for={promptField}>
            First message <small class="optional">optional</small>
          </label>
          <textarea
            id={promptField}
            rows={3}
            value={prompt}
            onInput={({ currentTarget }) => setPrompt(currentTarget.value)}
            onKeyDown={(event) => {
              if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
                event.preventDefault()
                event.currentTarget.form?.requestSubmit()
              }
            }}
          />
        </div>
        {failure !== undefined && (
          <p class="problem" role="alert">
            <Icon name="warning" />
            <span>{failure.message}</span>
            {agents === undefined && <button type="button" class="plain" onClick={load}>Try again</button>}
          </p>
        )}
        <div class="answers">
          <button type="submit" class="primary" disabled={starting || agent === ""}>
            {starting ? `Starting ${agent}…` : "Start"}
          </button>
          <a class="button quiet" href="#/">Cancel</a>
        </div>
      </form>
    </main>
  )
}

/** Where one writes to the agent. Enter sends, Shift+Enter begins a line; while a turn is open what is sent waits, or steers. */
import { useEffect, useId, useLayoutEffect, useRef, useState } from "preact/hooks"
import { toFailure } from "../api/Gateway.js"
import type { Conversation } from "../model/Conversation.js"
import { gateway } from "../state/Access.js"
import { attempts, prompts } from "../state/Drafts.js"
import type { OpenSession } from "../state/OpenSession.js"
import { Icon } from "./Icon.js"
import { Settings } from "./Settings.js"

type WhenBusy = "queue" | "steer"

/** Not `randomUUID`, which a page without TLS does not have. */
const freshKey = () =>
  Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("")

/** How many commands are shown at a time. */
const inView = 8

/** The agent's commands that a beginning like `/pl` can become. */
const suggestions = (text: string, { commands }: Conversation): Conversation["commands"] => {
  const typed = /^\/(\S*)$/.exec(text)?.[1]?.toLowerCase()
  return typed === undefined ? [] : commands.filter(({ name }) => name.toLowerCase().startsWith(typed))
}

const fine = matchMedia("(pointer: fine)")

export const Composer = (
  { conversation, session }: { readonly session: OpenSession; readonly conversation: Conversation }
) => {
  const { phase, run } = conversation
  const closed = phase === "closed"
  const [text, setText] = useState(prompts.get(session.id) ?? "")
  const [sending, setSending] = useState(false)
  const [error, setError] = useState<string>()
  const [chosen, setChosen] = useState(0)
  const [hidden, setHidden] = useState(false)
  const box = useRef<HTMLTextAreaElement>(null)
  const list = useId()
  const offered = hidden || closed ? [] : suggestions(text, conversation)
  // those around the one that is chosen: nothing has to be scrolled, which a keyboard that writes could not do
  const first = Math.max(0, Math.min(chosen - inView / 2, offered.length - inView))
  const busy = run !== undefined

  const write = (value: string) => {
    setText(value)
    setChosen(0)
    setHidden(false)
    prompts.set(session.id, value === "" ? undefined : value)
  }

  // as high as what is in it, up to a limit that the stylesheet sets
  useLayoutEffect(() => {
    const area = box.current
    if (area === null) return
    area.style.height = "auto"
    area.style.height = `${area.scrollHeight}px`
  }, [text])
  // on a phone the keyboard would cover the conversation
  useEffect(() => {
    if (fine.matches) box.current?.focus()
  }, [session.id])

  const send = async (whenBusy: WhenBusy) => {
    if (text.trim() === "" || sending || closed) return
    const before = attempts.get(session.id)
    const attempt = before?.text === text ? before : { text, key: freshKey() }
    attempts.set(session.id, attempt)
    setSending(true)
    setError(undefined)
    try {
      await gateway.prompt(session.id, text, whenBusy, attempt.key)
      attempts.set(session.id, undefined)
      // what was typed meanwhile is not sent yet
      const now = prompts.get(session.id) ?? ""
      write(now.startsWith(text) ? now.slice(text.length).trimStart() : now)
    } catch (error) {
      const failure = toFailure(error)
      setError(
        failure.status === 0
          ? "The gateway does not answer. Your text is still here: send it again when it does."
          : failure.message
      )
    } finally {
      setSending(false)
    }
  }

  const complete = (name: string, hint: string | undefined) => write(`/${name}${hint === undefined ? "" : " "}`)

  const onKeyDown = (event: KeyboardEvent) => {
    // the word is not finished: Enter belongs to the input method
    if (event.isComposing) return
    const suggestion = offered[chosen]
    if (suggestion !== undefined) {
      const move = { ArrowDown: 1, ArrowUp: -1 }[event.key]
      if (move !== undefined) {
        event.preventDefault()
        return setChosen((chosen + move + offered.length) % offered.length)
      }
      if (event.key === "Escape") return setHidden(true)
      const whole = text === `/${suggestion.name}`
      if (event.key === "Tab" || event.key === "Enter" && !event.shiftKey && !whole) {
        event.preventDefault()
        return complete(suggestion.name, suggestion.hint)
      }
    }
    if (event.key !== "Enter" || event.shiftKey) return
    event.preventDefault()
    void send(busy && (event.ctrlKey || event.metaKey) ? "steer" : "queue")
  }

  const empty = text.trim() === ""
  return (
    <form
      class="composer"
      onSubmit={(event) => {
        event.preventDefault()
        void send("queue")
      }}
    >
      {offered.length > 0 && (
        <ul class="suggestions" id={list} role="listbox" aria-label="Commands">
          {offered.slice(first, first + inView).map(({ description, hint, name }, place) => (
            <li
              key={name}
              id={`${list}-${first + place}`}
              role="option"
              aria-selected={first + place === chosen}
              aria-posinset={first + place + 1}
              aria-setsize={offered.length}
              onPointerDown={(event) => {
                event.preventDefault()
                complete(name, hint)
              }}
            >
              <code>/{name}{hint === undefined ? "" : <i>{` ${hint}`}</i>}</code>
              <span>{description}</span>
            </li>
          ))}
        </ul>
      )}
      {error !== undefined && <p class="error" role="alert">{error}</p>}
      <textarea
        ref={box}
        rows={1}
        value={text}
        // what was written when somebody else closed the session can still be taken elsewhere
        disabled={closed && text === ""}
        readOnly={closed}
        aria-label="Message to the agent"
        placeholder={closed ? "This session is closed" : busy ? "Say what comes next" : "Message the agent"}
        aria-controls={offered.length > 0 ? list : undefined}
        aria-autocomplete="list"
        aria-activedescendant={offered.length > 0 ? `${list}-${chosen}` : undefined}
        onInput={({ currentTarget }) => write(currentTarget.value)}
        onKeyDown={onKeyDown}
        onBlur={() => setHidden(true)}
      />
      <div class="bar">
        <Settings conversation={conversation} session={session} />
        {busy && !empty && (
          <button
            type="button"
            class="quiet"
            title="Stop the turn and go on with this (Ctrl+Enter)"
            onClick={() => send("steer")}
          >
            Steer
          </button>
        )}
        {busy && empty
          ? (
            <button
              type="button"
              class="round stop"
              aria-label="Stop the agent"
              title="Stop the agent"
              onClick={() => session.command(() => gateway.cancel(session.id))}
            >
              <Icon name="stop" />
            </button>
          )
          : (
            <button
              type="submit"
              class="round"
              disabled={empty || sending || closed}
              aria-label={busy ? "Queue the message" : "Send the message"}
              title={busy ? "Send when the turn is over (Enter)" : "Send (Enter)"}
            >
              <Icon name="send" />
            </button>
          )}
      </div>
    </form>
  )
}

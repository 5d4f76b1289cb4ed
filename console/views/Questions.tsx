/** The questions that wait, each with its own answer, the oldest first. */
import type { ComponentChildren } from "preact"
import { useEffect, useId, useRef, useState } from "preact/hooks"
import type { Elicitation, ElicitationAnswer } from "../../src/domain/Elicitation.js"
import type { AnswerIssue } from "../../src/domain/Form.js"
import { issuesOf, toFailure } from "../api/Gateway.js"
import type { Conversation } from "../model/Conversation.js"
import { gateway } from "../state/Access.js"
import { announce } from "../state/Announce.js"
import { answers } from "../state/Drafts.js"
import { Disclosure } from "./Disclosure.js"
import { ElicitedForm } from "./Form.js"
import { Icon } from "./Icon.js"
import { safeHref } from "./Link.js"
import { Details } from "./ToolCall.js"

type Of<Kind extends Elicitation["kind"]> = Extract<Elicitation, { readonly kind: Kind }>

interface Answering {
  readonly sending: boolean
  readonly answer: (answer: ElicitationAnswer) => void
}

const Permission = ({ answer, elicitation, sending }: Answering & { readonly elicitation: Of<"permission"> }) => {
  const { options } = elicitation
  // the first that allows is the one that stands out, if only once; a refusal never does
  const main = options.find(({ kind }) => kind === "allow_once") ?? options.find(({ kind }) => kind.startsWith("allow"))
  return (
    <div class="answers">
      {options.map((option, index) => (
        <button
          key={option.optionId}
          type="button"
          class={option === main ? "primary" : option.kind.startsWith("reject") ? "danger" : undefined}
          disabled={sending}
          onClick={() => answer({ action: "accept", content: { optionId: option.optionId } })}
        >
          {option.name}
          {index < 9 && <kbd aria-hidden>{index + 1}</kbd>}
        </button>
      ))}
      <button type="button" class="quiet" disabled={sending} onClick={() => answer({ action: "cancel" })}>
        Dismiss
      </button>
    </div>
  )
}

/** Said no, or said nothing. */
const Refusals = ({ answer, sending }: Answering) => (
  <>
    <button type="button" disabled={sending} onClick={() => answer({ action: "decline" })}>Decline</button>
    <button type="button" class="quiet" disabled={sending} onClick={() => answer({ action: "cancel" })}>Dismiss</button>
  </>
)

const Page = ({ answer, elicitation, sending }: Answering & { readonly elicitation: Of<"url"> }) => {
  const href = safeHref(elicitation.url)
  if (href === undefined || href.startsWith("mailto:")) {
    return (
      <div class="answers">
        <p class="error">The agent wants a page opened that is none: {elicitation.url}</p>
        <Refusals answer={answer} sending={sending} />
      </div>
    )
  }
  const { host } = new URL(href)
  const at = href.indexOf(host)
  return (
    <>
      <p class="address">
        {href.slice(0, at)}
        <strong>{host}</strong>
        {href.slice(at + host.length)}
      </p>
      <div class="answers">
        <a
          class="button primary"
          href={href}
          target="_blank"
          rel="noopener noreferrer"
          onClick={() => answer({ action: "accept" })}
        >
          Open {host}
        </a>
        <Refusals answer={answer} sending={sending} />
      </div>
    </>
  )
}

/** How long it still waits, if not for ever. */
const Deadline = ({ at }: { readonly at: string }) => {
  const [now, setNow] = useState(() => Date.now())
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 1000)
    return () => clearInterval(timer)
  }, [])
  const seconds = Math.max(0, Math.ceil((Date.parse(at) - now) / 1000))
  return (
    <span class={seconds <= 30 ? "deadline soon" : "deadline"}>
      expires in {seconds < 100 ? `${seconds} s` : `${Math.ceil(seconds / 60)} min`}
    </span>
  )
}

const call = (conversation: Conversation, toolCallId: string | undefined) => {
  const place = toolCallId === undefined ? undefined : conversation.places.calls.get(toolCallId)
  const item = place === undefined ? undefined : conversation.items[place]
  return item?.kind === "tool" ? item.call : undefined
}

/** Who asks, when that is not the session's own agent. */
const asker = ({ items, places }: Conversation, id: string) => items[places.questions.get(id) ?? -1]?.within

const headings = { permission: "Permission", form: "Question", url: "Page to visit", confirmation: "Question" }

const Question = ({ conversation, elicitation, number, of, session }: {
  readonly session: string
  readonly conversation: Conversation
  readonly elicitation: Elicitation
  readonly number: number
  readonly of: number
}) => {
  const [sending, setSending] = useState(false)
  const [error, setError] = useState<string>()
  const [issues, setIssues] = useState<ReadonlyArray<AnswerIssue>>([])
  const heading = useId()
  const card = useRef<HTMLElement>(null)
  const answered = useRef(false)
  const { deadline, id, kind, message, sensitive, toolCallId } = elicitation
  const about = call(conversation, toolCallId)
  const by = asker(conversation, id)

  const answer = async (given: ElicitationAnswer) => {
    setSending(true)
    setError(undefined)
    setIssues([])
    try {
      await gateway.answer(session, id, given)
      answered.current = true
      answers.set(id, undefined)
      announce("Answered")
    } catch (error) {
      const failure = toFailure(error)
      const found = issuesOf(failure)
      if (failure.status === 422 && kind === "form") {
        setIssues(found)
        announce("The answer does not fit yet")
      } else if (failure.status === 409) setError("It has been answered already, or taken back.")
      else setError(failure.message)
      setSending(false)
    }
  }
  const answering = { answer, sending }

  /** The numbers of the options, where nobody is writing. */
  const onKeyDown = (event: KeyboardEvent) => {
    if (elicitation.kind !== "permission" || event.ctrlKey || event.metaKey || event.altKey) return
    const option = /^[1-9]$/.test(event.key) ? elicitation.options[Number(event.key) - 1] : undefined
    if (option === undefined || sending) return
    event.preventDefault()
    void answer({ action: "accept", content: { optionId: option.optionId } })
  }
  // whoever answered this one goes on with the next; a browser takes the focus from a button that it disables
  useEffect(() => () => {
    const focused = document.activeElement
    if (!answered.current || focused !== document.body && card.current?.contains(focused) !== true) return
    const others = document.querySelectorAll<HTMLElement>(".ask :is(button, a, input, select, textarea)")
    const next = [...others].find((each) => card.current?.contains(each) !== true)
    ;(next ?? document.querySelector<HTMLElement>(".composer textarea"))?.focus()
  }, [])

  const body: ComponentChildren = (() => {
    switch (elicitation.kind) {
      case "permission":
        return <Permission elicitation={elicitation} {...answering} />
      case "url":
        return <Page elicitation={elicitation} {...answering} />
      case "confirmation":
        return (
          <div class="answers">
            <button type="button" class="primary" disabled={sending} onClick={() => answer({ action: "accept" })}>
              Yes
            </button>
            <button type="button" disabled={sending} onClick={() => answer({ action: "decline" })}>No</button>
            <button type="button" class="quiet" disabled={sending} onClick={() => answer({ action: "cancel" })}>
              Dismiss
            </button>
          </div>
        )
      case "form":
        return (
          <ElicitedForm
            id={id}
            schema={elicitation.schema}
            secret={sensitive === true}
            issues={issues}
            onSubmit={(content) => answer({ action: "accept", content })}
          >
            <div class="answers">
              <button type="submit" class="primary" disabled={sending}>Send</button>
              <Refusals {...answering} />
            </div>
          </ElicitedForm>
        )
    }
  })()

  return (
    <section ref={card} class="ask" aria-labelledby={heading} onKeyDown={onKeyDown}>
      <header>
        <Icon name="question" />
        <span>
          {headings[kind]}
          {of > 1 ? ` ${number} of ${of}` : ""}
          {by === undefined ? "" : ` · ${by} asks`}
        </span>
        {sensitive === true && <span class="sensitive">the answer is not recorded</span>}
        {deadline !== undefined && <Deadline at={deadline} />}
      </header>
      <h2 id={heading}>{message}</h2>
      {elicitation.kind === "form" && elicitation.schema.description != null && (
        <p class="hint">{elicitation.schema.description}</p>
      )}
      {about !== undefined && (about.content !== undefined || about.rawInput !== undefined) && (
        <Disclosure
          id={`${session} ${id}`}
          class="about"
          initially
          summary={about.title === message ? "What it would do" : about.title}
        >
          {() => <Details id={`${session} ${id}`} call={about} processes={conversation.processes} />}
        </Disclosure>
      )}
      {error !== undefined && <p class="error" role="alert">{error}</p>}
      {body}
    </section>
  )
}

export const Questions = (
  { conversation, session }: { readonly session: string; readonly conversation: Conversation }
) => {
  const { questions } = conversation
  return questions.length === 0 ? null : (
    <div class="questions" role="group" aria-label="Questions of the agent">
      {questions.map((elicitation, index) => (
        <Question
          key={elicitation.id}
          session={session}
          conversation={conversation}
          elicitation={elicitation}
          number={index + 1}
          of={questions.length}
        />
      ))}
    </div>
  )
}

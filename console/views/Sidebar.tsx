/** The sessions, newest first. */
import { useEffect, useState } from "preact/hooks"
import type { Session } from "../../src/domain/Session.js"
import * as Conversation from "../model/Conversation.js"
import * as Describe from "../model/Describe.js"
import type { OpenSession } from "../state/OpenSession.js"
import { route, toHash } from "../state/Route.js"
import * as SessionList from "../state/SessionList.js"
import { Icon, Mark } from "./Icon.js"
import { Status } from "./Status.js"
import { ago } from "./Time.js"

/** A minute's clock. */
const useNow = () => {
  const [now, setNow] = useState(() => Date.now())
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 30_000)
    return () => clearInterval(timer)
  }, [])
  return now
}

/** What the feed knows is newer than what the list was told. */
const current = (session: Session, open: OpenSession | undefined): Session => {
  if (open === undefined || open.id !== session.id || open.conversation.value.seq < session.head) return session
  const conversation = open.conversation.value
  const { questions, title } = conversation
  const { title: _, ...others } = session
  return {
    ...others,
    ...title === undefined ? {} : { title },
    status: Conversation.status(conversation),
    pending: questions.length
  }
}

const Row = (
  { now, open, session }: { readonly session: Session; readonly open: OpenSession | undefined; readonly now: number }
) => {
  const { agent, id, pending, status, title, updatedAt } = current(session, open)
  const selected = open?.id === id
  return (
    <li>
      <a
        href={toHash({ _tag: "Session", id, tab: "conversation" })}
        class={`session ${status}`}
        aria-current={selected ? "page" : undefined}
      >
        <span class="title">{Describe.title(title)}</span>
        <span class="meta">
          <Status status={status} wordless={status === "idle" || status === "closed"} />
          <span>{agent}</span>
          <span class="when">{pending > 1 ? `${pending} questions` : ago(updatedAt, now)}</span>
        </span>
      </a>
    </li>
  )
}

const Empty = ({ nothing }: { readonly nothing: string }) => {
  const failure = SessionList.failure.value
  if (failure !== undefined) return <p class="nothing">{failure.message} Trying again…</p>
  return <p class="nothing">{SessionList.loaded.value ? nothing : "Looking for sessions…"}</p>
}

export const Sidebar = ({ open }: { readonly open: OpenSession | undefined }) => {
  const now = useNow()
  const [closed, setClosed] = useState(false)
  const all = SessionList.sessions.value
  const count = all.filter(({ status }) => status === "closed").length
  // the one that is looked at stays where it is
  const sessions = closed ? all : all.filter(({ id, status }) => status !== "closed" || id === open?.id)
  const waiting = all.filter((session) => current(session, open).status === "waiting").length
  const title = open === undefined ? "" : `${open.conversation.value.title ?? "Session"} · `
  useEffect(() => {
    document.title = `${waiting > 0 ? `(${waiting}) ` : ""}${title}Holdfast`
  }, [waiting, title])
  return (
    <nav class="sidebar" aria-label="Sessions">
      <header>
        <a class="home" href="#/" aria-label="Holdfast">
          <Mark />
          <span>Holdfast</span>
        </a>
        <a
          class="button new"
          href={toHash({ _tag: "New" })}
          aria-current={route.value._tag === "New" ? "page" : undefined}
        >
          <Icon name="plus" /> New
        </a>
      </header>
      {sessions.length === 0 && <Empty nothing={count > 0 ? "No session is open" : "No sessions yet"} />}
      <ul class="sessions">
        {sessions.map((session) => <Row key={session.id} session={session} open={open} now={now} />)}
      </ul>
      <footer>
        {count > 0 && (
          <button type="button" class="plain" aria-pressed={closed} onClick={() => setClosed(!closed)}>
            {closed ? "Hide" : "Show"} {count} closed
          </button>
        )}
        {SessionList.hasMore.value && (
          <button
            type="button"
            class="plain"
            onClick={() => SessionList.more().catch(() => {})}
          >
            Older
          </button>
        )}
        {SessionList.failure.value !== undefined && sessions.length > 0 && <span class="stale">not up to date</span>}
      </footer>
    </nav>
  )
}

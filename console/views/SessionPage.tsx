/** One session: what it is, its conversation or its log, and what can be done with it. */
import { lazy, Suspense } from "preact/compat"
import { useRef } from "preact/hooks"
import * as Conversation from "../model/Conversation.js"
import * as Describe from "../model/Describe.js"
import { gateway } from "../state/Access.js"
import type { OpenSession } from "../state/OpenSession.js"
import { toHash } from "../state/Route.js"
import { Connection } from "./Connection.js"
import { ConversationList } from "./ConversationList.js"
import { Dock } from "./Dock.js"
import { Icon } from "./Icon.js"
import { Path } from "./Path.js"
import { Status } from "./Status.js"

const LogView = lazy(async () => ({ default: (await import("./LogView.js")).LogView }))

type Tab = "conversation" | "log"

const Tabs = ({ id, tab }: { readonly id: string; readonly tab: Tab }) => (
  <div class="tabs" role="group" aria-label="View">
    {([["conversation", "Conversation"], ["log", "Log"]] as const).map(([each, word]) => (
      <a key={each} href={toHash({ _tag: "Session", id, tab: each })} aria-current={each === tab ? "page" : undefined}>
        {word}
      </a>
    ))}
  </div>
)

const Actions = ({ closed, session }: { readonly session: OpenSession; readonly closed: boolean }) => {
  const menu = useRef<HTMLDivElement>(null)
  const dialog = useRef<HTMLDialogElement>(null)
  const close = () => {
    dialog.current?.close()
    void session.command(() => gateway.close(session.id))
  }
  return (
    <>
      <button
        type="button"
        class="plain"
        aria-label="Actions"
        title="Actions"
        popovertarget="actions"
        disabled={closed}
      >
        <Icon name="dots" />
      </button>
      <div ref={menu} id="actions" class="menu" popover="auto">
        <button
          type="button"
          onClick={() => {
            menu.current?.hidePopover()
            void session.command(() => gateway.restart(session.id))
          }}
        >
          <Icon name="restart" /> Restart the agent
        </button>
        <button
          type="button"
          class="danger"
          onClick={() => {
            menu.current?.hidePopover()
            dialog.current?.showModal()
          }}
        >
          <Icon name="cross" /> Close the session…
        </button>
      </div>
      <dialog ref={dialog} aria-labelledby="close-title">
        <h2 id="close-title">Close this session?</h2>
        <p>Its agent is ended, and it takes no more prompts. What it said stays to be read.</p>
        <div class="answers">
          <button type="button" class="primary danger" onClick={close}>Close the session</button>
          <button type="button" onClick={() => dialog.current?.close()}>Keep it</button>
        </div>
      </dialog>
    </>
  )
}

const Header = ({ conversation, session, tab }: {
  readonly session: OpenSession
  readonly conversation: Conversation.Conversation
  readonly tab: Tab
}) => {
  const read = session.read.value === 1
  const told = session.told.value
  const { agent, cwd, title } = read || told === undefined ? conversation : told
  return (
    <header class="session-header">
      <a class="plain back" href="#/" aria-label="All sessions">
        <Icon name="back" />
      </a>
      <div class="what">
        <h1>{read || title !== undefined ? Describe.title(title) : "…"}</h1>
        <p>
          <Status status={read || told === undefined ? Conversation.status(conversation) : told.status} />
          {agent !== "" && <span class="agent-name">{agent}</span>}
          {cwd !== "" && <Path path={cwd} />}
        </p>
      </div>
      <Tabs id={session.id} tab={tab} />
      <Actions session={session} closed={conversation.phase === "closed"} />
    </header>
  )
}

const Missing = ({ message }: { readonly message: string }) => (
  <main class="page">
    <div class="welcome">
      <h1>There is nothing here</h1>
      <p>{message}</p>
      <a class="button" href="#/">All sessions</a>
    </div>
  </main>
)

const Reading = ({ read }: { readonly read: number }) => (
  <div class="reading">
    <progress value={read} aria-label="Reading the history" />
    <p>Reading what happened so far</p>
  </div>
)

const Silent = ({ agent }: { readonly agent: string }) => (
  <div class="silent">
    <p>Nothing was said yet.</p>
    {agent === "demo" && (
      <p>
        This is the demo agent: say anything, or write <code>/</code> to see what it can show.
      </p>
    )}
  </div>
)

export const SessionPage = ({ session, tab }: { readonly session: OpenSession; readonly tab: Tab }) => {
  const failure = session.failure.value
  const read = session.read.value
  const conversation = session.conversation.value
  if (failure !== undefined && failure.status !== 401) {
    return <Missing message={failure.status === 400 ? `“${session.id}” is no session’s id.` : failure.message} />
  }
  return (
    <main class="session-page">
      <Header session={session} conversation={conversation} tab={tab} />
      <Connection state={session.feed.value} onRetry={session.retry} />
      {read < 1 ? <Reading read={read} /> : tab === "log"
        ? (
          <Suspense fallback={null}>
            <LogView session={session.id} log={session.log.value} />
          </Suspense>
        )
        : (
          <>
            {conversation.items.length === 0
              ? <Silent agent={conversation.agent} />
              : <ConversationList key={session.id} session={session.id} conversation={conversation} />}
            <Dock session={session} conversation={conversation} />
          </>
        )}
    </main>
  )
}

/** What stands below the conversation: what waits for a person, what waits for its turn, what goes on, and where one writes. */
import { useEffect, useState } from "preact/hooks"
import type { Conversation } from "../model/Conversation.js"
import * as Describe from "../model/Describe.js"
import type { OpenSession } from "../state/OpenSession.js"
import { Composer } from "./Composer.js"
import { Disclosure } from "./Disclosure.js"
import { Icon } from "./Icon.js"
import { PlanEntries } from "./Item.js"
import { Questions } from "./Questions.js"

const Elapsed = ({ since }: { readonly since: string }) => {
  const [now, setNow] = useState(() => Date.now())
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 1000)
    return () => clearInterval(timer)
  }, [])
  const seconds = Math.floor((now - Date.parse(since)) / 1000)
  return seconds < 2 ? null : <span class="elapsed">{Describe.duration(seconds * 1000)}</span>
}

const Plan = ({ entries, session }: { readonly session: string; readonly entries: Conversation["plan"] }) => {
  const done = entries.filter(({ status }) => status === "completed").length
  const now = entries.find(({ status }) => status === "in_progress")
  return (
    <Disclosure
      id={`${session} plan`}
      class="strip"
      summary={
        <>
          <span>Plan {done} of {entries.length}</span>
          {now !== undefined && <span class="preview">{now.content}</span>}
        </>
      }
    >
      {() => <PlanEntries entries={entries} />}
    </Disclosure>
  )
}

const activity = ({ phase, questions, run }: Conversation): string | undefined => {
  if (phase === "starting") return "The agent is starting"
  if (phase === "restarting") return "The agent is restarting"
  // what waits for a person stands there itself
  return run === undefined || questions.length > 0 ? undefined : "Working"
}

export const Dock = (
  { conversation, session }: { readonly session: OpenSession; readonly conversation: Conversation }
) => {
  const { plan, queued, run } = conversation
  const problem = session.problem.value
  const doing = activity(conversation)
  return (
    <div class="dock">
      <Questions session={session.id} conversation={conversation} />
      {problem !== undefined && (
        <p class="problem" role="alert">
          <Icon name="warning" />
          <span>{problem}</span>
          <button type="button" class="plain" aria-label="Dismiss the message" onClick={session.dismiss}>
            <Icon name="cross" />
          </button>
        </p>
      )}
      {doing !== undefined && (
        <p class="doing">
          <span class="pulse" aria-hidden />
          {doing}
          {run !== undefined && <Elapsed since={run.at} />}
        </p>
      )}
      {plan.length > 0 && <Plan session={session.id} entries={plan} />}
      {queued.length > 0 && (
        <ol class="queue" aria-label="Prompts that wait">
          {queued.map(({ content, runId }) => (
            <li key={runId}>
              <span>Next</span> {Describe.toText(content)}
            </li>
          ))}
        </ol>
      )}
      <Composer key={session.id} session={session} conversation={conversation} />
    </div>
  )
}

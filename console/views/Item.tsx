/** One item of the conversation. */
import type { ComponentChildren } from "preact"
import { memo } from "preact/compat"
import { useState } from "preact/hooks"
import { toFailure } from "../api/Gateway.js"
import * as Describe from "../model/Describe.js"
import type * as Items from "../model/Items.js"
import { gateway } from "../state/Access.js"
import { Content } from "./Content.js"
import { Disclosure } from "./Disclosure.js"
import { Icon } from "./Icon.js"
import { Output } from "./Output.js"
import { Process } from "./Process.js"
import { Prose } from "./Prose.js"
import { Time } from "./Time.js"
import { ToolCall } from "./ToolCall.js"

const Prompt = ({ item }: { readonly item: Items.Prompt }) => (
  <div class="prompt">
    <h2 class="unseen">{item.reported ? "Said earlier" : "You"}</h2>
    {item.content.map((content, index) =>
      content.type === "text" ? <p key={index}>{content.text}</p> : <Content key={index} content={content} />
    )}
  </div>
)

const preview = (text: string) => text.trimStart().slice(0, 160).replace(/\s+/g, " ")

const Thought = (
  { id, item, streaming }: { readonly id: string; readonly item: Items.Message; readonly streaming: boolean }
) => (
  <Disclosure
    id={id}
    class="thought"
    summary={
      <>
        <span class="title">{streaming ? "Thinking" : "Thought"}</span>
        <span class="preview">{preview(item.text)}</span>
      </>
    }
  >
    {() => <Prose text={item.text} />}
  </Disclosure>
)

const marks: Readonly<Record<string, readonly [sign: string, word: string]>> = {
  completed: ["☑", "done"],
  in_progress: ["▸", "at work"]
}

export const PlanEntries = ({ entries }: { readonly entries: ReadonlyArray<Items.PlanEntry> }) => (
  <ol class="plan">
    {entries.map(({ content, status }, index) => {
      const [sign, word] = marks[status] ?? ["☐", "open"]
      return (
        <li key={index} class={status}>
          <span class="box" role="img" aria-label={word}>{sign}</span>
          {content}
        </li>
      )
    })}
  </ol>
)

const Question = ({ item }: { readonly item: Items.Question }) => {
  const filled = Describe.filled(item)
  return (
    <div class="asked">
      <p>
        <Icon name="question" />
        <span class="title">{item.elicitation.message}</span>
        <span class="answer">{Describe.settled(item)}</span>
      </p>
      {filled.length > 0 && (
        <dl>
          {filled.map(([label, value]) => (
            <div key={label}>
              <dt>{label}</dt>
              <dd>{value}</dd>
            </div>
          ))}
        </dl>
      )}
    </div>
  )
}

const Note = ({ id, item }: { readonly id: string; readonly item: Items.Note }) => {
  const line = (
    <>
      {item.tone !== "quiet" && <Icon name="warning" />}
      <span>{item.text}</span>
    </>
  )
  return item.detail === undefined
    ? <p class={`note ${item.tone}`}>{line}</p>
    : (
      <Disclosure id={id} class={`note ${item.tone}`} summary={line}>
        {() => <pre tabIndex={0}>{item.detail}</pre>}
      </Disclosure>
    )
}

const Failed = ({ error, id }: { readonly id: string; readonly error: Items.Fault }) => (
  <div class="fault" role="group" aria-label="The run failed">
    <p>
      <Icon name="warning" />
      <strong>{error.message}</strong>
    </p>
    {error.detail !== undefined && (
      <Disclosure id={id} summary={error.tag ?? "Details"}>{() => <pre tabIndex={0}>{error.detail}</pre>}</Disclosure>
    )}
  </div>
)

const Ended = ({ id, item }: { readonly id: string; readonly item: Items.Ended }) => {
  const { at, millis, outcome } = item
  const unusual = Describe.unusual(outcome)
  return (
    <div class="ended">
      {outcome._tag === "Failed" && <Failed id={id} error={Describe.fault(outcome.error)} />}
      {outcome._tag === "Lost" && <Failed id={id} error={{ message: `The run was lost: ${outcome.reason}` }} />}
      <p>
        {unusual !== undefined && (outcome._tag === "Completed" || outcome._tag === "Cancelled") && (
          <span class="unusual">{unusual}</span>
        )}
        {millis !== undefined && <span>{Describe.duration(millis)}</span>}
        <Time at={at} />
      </p>
    </div>
  )
}

const Run = ({ id, item, session }: {
  readonly session: string
  readonly id: string
  readonly item: Items.Run
}) => {
  const [problem, setProblem] = useState<string>()
  const stop = () => {
    setProblem(undefined)
    gateway.cancel(session, item.runId).catch((error) => setProblem(toFailure(error).message))
  }
  return (
    <div class="opened">
      <Disclosure
        id={id}
        class="thought"
        summary={
          <>
            <span class="title">{item.name}</span>
            <span class="preview">
              {item.outcome === undefined ? "at work" : Describe.unusual(item.outcome) ?? "done"}
              {item.asked === "" ? "" : `: ${preview(item.asked)}`}
            </span>
          </>
        }
      >
        {() => <Prose text={item.output.text === "" ? "*Nothing was said yet.*" : item.output.text} />}
      </Disclosure>
      {item.outcome === undefined && (
        <button
          type="button"
          class="quiet"
          aria-label={`Stop ${item.name}`}
          onClick={stop}
        >
          Stop
        </button>
      )}
      {problem !== undefined && <p class="problem" role="alert">{problem}</p>}
    </div>
  )
}

const draw = (
  session: string,
  item: Items.Item,
  processes: ReadonlyMap<string, Items.Process>,
  streaming: boolean
): ComponentChildren => {
  const id = `${session} ${item.key}`
  switch (item.kind) {
    case "prompt":
      return <Prompt item={item} />
    case "message":
      return <Prose text={item.text} />
    case "thought":
      return <Thought id={id} item={item} streaming={streaming} />
    case "media":
      return <Content content={item.content} />
    case "tool":
      return <ToolCall id={id} call={item.call} processes={processes} />
    case "plan":
      return (
        <div class="card">
          <PlanEntries entries={item.entries} />
        </div>
      )
    case "shell":
      return (
        <div class="card">
          <Output output={item.output} label="Output of the shell" />
        </div>
      )
    case "question":
      // while it waits it stands below the conversation
      return item.outcome === undefined ? null : <Question item={item} />
    case "note":
      return <Note id={id} item={item} />
    case "run":
      return <Run session={session} id={id} item={item} />
    case "ended":
      return <Ended id={id} item={item} />
    case "process": {
      const process = processes.get(item.processId)
      return process === undefined || process.owned ? null : (
        <div class="card">
          <Process process={process} />
        </div>
      )
    }
  }
}

const noProcesses: ReadonlyMap<string, Items.Process> = new Map()

/** Only what shows a process is given them, so that the others are not drawn again when one writes. */
const showsProcess = (item: Items.Item) =>
  item.kind === "process" || item.kind === "tool" && item.call.content?.some(({ type }) => type === "terminal") === true

interface Shown {
  readonly session: string
  readonly item: Items.Item
  readonly processes: ReadonlyMap<string, Items.Process>
  readonly streaming: boolean
}

const Drawn = memo(({ item, processes, session, streaming }: Shown) => (
  <div
    class="item"
    data-kind={item.kind}
    data-within={item.within}
    data-continued={"continued" in item && item.continued ? true : undefined}
    data-streaming={streaming ? true : undefined}
  >
    {draw(session, item, processes, streaming)}
  </div>
))

export const Item = ({ processes, ...shown }: Shown) => (
  <Drawn {...shown} processes={showsProcess(shown.item) ? processes : noProcesses} />
)

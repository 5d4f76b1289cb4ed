/** A tool call: one line, and behind it what went in and what came out. */
import type { ComponentChildren } from "preact"
import { memo } from "preact/compat"
import type { ToolContent } from "../../src/domain/Content.js"
import type * as Items from "../model/Items.js"
import { Code } from "./Code.js"
import { Content } from "./Content.js"
import { Diff } from "./Diff.js"
import { Disclosure } from "./Disclosure.js"
import { Icon, type IconName } from "./Icon.js"
import { Json } from "./Json.js"
import { Output } from "./Output.js"
import { Path } from "./Path.js"
import { Process } from "./Process.js"

const icons: Readonly<Record<string, IconName>> = {
  read: "file",
  edit: "pencil",
  delete: "trash",
  move: "move",
  search: "search",
  execute: "terminal",
  think: "thought",
  fetch: "globe",
  switch_mode: "plan"
}

const iconOf = (kind: string | undefined): IconName =>
  kind !== undefined && Object.hasOwn(icons, kind) ? icons[kind] ?? "tool" : "tool"

const words = {
  pending: "waits",
  in_progress: "at work",
  completed: "done",
  failed: "failed",
  unfinished: "not finished"
}

const Status = ({ call }: { readonly call: Items.ToolCall }) => {
  const status = call.unfinished === true ? "unfinished" : call.status
  return (
    <span class={`status ${status}`}>
      {status === "completed" ? <Icon name="check" label="done" /> : (
        <>
          {status === "failed" && <Icon name="cross" />}
          {words[status]}
        </>
      )}
    </span>
  )
}

/** More is no prose, and has a box of its own to be scrolled in. */
const longest = 4000

const Shown = ({ call, content, processes }: {
  readonly call: Items.ToolCall
  readonly content: ToolContent
  readonly processes: ReadonlyMap<string, Items.Process>
}) => {
  switch (content.type) {
    case "content": {
      const text = content.content.type === "text" ? content.content.text : ""
      if (call.kind === "execute" && text.includes("\n")) return <Output label="Output" output={{ text, dropped: 0 }} />
      return text.length > longest ? <Code text={text} language="" /> : <Content content={content.content} />
    }
    case "diff":
      return <Diff path={content.path} oldText={content.oldText} newText={content.newText} />
    case "terminal": {
      const process = processes.get(content.terminalId)
      return process === undefined ? null : <Process process={process} />
    }
  }
}

/**
 * What is known of it. The input and the output as the agent has them are folded away where something better to look at says the same.
 */
export const Details = ({ call, id, processes }: {
  readonly id: string
  readonly call: Items.ToolCall
  readonly processes: ReadonlyMap<string, Items.Process>
}) => {
  const { content = [], locations = [], rawInput, rawOutput } = call
  const telling = content.some(({ type }) => type === "diff" || type === "terminal")
  const input = rawInput !== undefined && <Json key="in" label="Input" value={rawInput} />
  const output = rawOutput !== undefined && <Json key="out" label="Output" value={rawOutput} />
  const folded = [telling && input, content.length > 0 && output]
  const parts: ReadonlyArray<ComponentChildren> = [
    !telling && input,
    locations.length > 0 && !telling && (
      <ul key="at" class="locations">
        {locations.map(({ line, path }, index) => (
          <li key={index}>
            <Path path={path} line={line} />
          </li>
        ))}
      </ul>
    ),
    ...content.map((each, index) => <Shown key={index} call={call} content={each} processes={processes} />),
    content.length === 0 && output,
    folded.some((part) => part !== false) && (
      <Disclosure key="raw" id={`${id} raw`} class="raw" summary="Input and output">
        {() =>
          folded}
      </Disclosure>
    )
  ]
  return parts.some((part) => part !== false) ? <>{parts}</> : <p class="nothing">Nothing more is known of it.</p>
}

/** What is worth seeing without being asked for: a change, a command at work, a failure. */
const isTelling = ({ content, status }: Items.ToolCall) =>
  status === "failed" ||
  // what only waits for a permission is shown with the question
  status !== "pending" && content?.some(({ type }) => type === "diff" || type === "terminal") === true

const Summary = ({ call }: { readonly call: Items.ToolCall }) => {
  const [location] = call.locations ?? []
  const name = location?.path.split("/").at(-1) ?? ""
  return (
    <>
      <Icon name={iconOf(call.kind)} />
      <span class="title">{call.title}</span>
      {location !== undefined && name !== "" && !call.title.includes(name) && (
        <Path path={location.path} line={location.line} />
      )}
      <Status call={call} />
    </>
  )
}

export const ToolCall = memo(({ call, id, processes }: {
  readonly id: string
  readonly call: Items.ToolCall
  readonly processes: ReadonlyMap<string, Items.Process>
}) => (
  <Disclosure id={id} class={`card tool ${call.status}`} initially={isTelling(call)} summary={<Summary call={call} />}>
    {() => <Details id={id} call={call} processes={processes} />}
  </Disclosure>
))

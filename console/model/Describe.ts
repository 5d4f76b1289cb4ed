/** What happened, in words. Pure. */
import type { ErrorInfo, RunOutcome } from "../../src/domain/AgentEvent.js"
import type { ContentBlock } from "../../src/domain/Content.js"
import type { Elicitation, ElicitationOutcome } from "../../src/domain/Elicitation.js"
import type { Fault, Question } from "./Items.js"

/** The text of a prompt; other blocks by their names. */
export const toText = (content: ReadonlyArray<ContentBlock>): string =>
  content.map((block) => block.type === "text" ? block.text : `[${block.type}]`).join("\n")

/** What a session is called by, which may have been given nothing to be called by. */
export const title = (title: string | undefined): string =>
  title === undefined || title.trim() === "" ? "Untitled" : title

const causes = { requested: "someone asked", changed: "its settings changed", failed: "it failed" }

export const restarting = (cause: keyof typeof causes, requests = 1): string =>
  `Restarting the agent: ${causes[cause]}${requests === 1 ? "" : ` (${requests} requests)`}`

/** `840 ms`, `3.2 s`, `2 min 5 s`. */
export const duration = (millis: number): string => {
  if (millis < 1000) return `${Math.max(0, Math.round(millis))} ms`
  if (millis < 10_000) return `${(millis / 1000).toFixed(1)} s`
  const seconds = Math.round(millis / 1000)
  if (seconds < 60) return `${seconds} s`
  const minutes = Math.floor(seconds / 60)
  return minutes < 60 ? `${minutes} min ${seconds % 60} s` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`
}

const stopReasons: Readonly<Record<string, string>> = {
  max_tokens: "Stopped: the answer reached the limit of its length",
  max_turn_requests: "Stopped: the turn reached the limit of its requests",
  refusal: "The agent refused to go on"
}

/** How a run ended, if that is more than "it is done". */
export const unusual = (outcome: RunOutcome): string | undefined => {
  switch (outcome._tag) {
    case "Completed":
      return outcome.stopReason === "end_turn" ? undefined : stopReasons[outcome.stopReason] ?? outcome.stopReason
    case "Cancelled":
      return "Cancelled"
    case "Failed":
      return outcome.error.message
    case "Lost":
      return outcome.reason
  }
}

/** The fields of an error that say more than its sentence. */
export const fault = (error: ErrorInfo): Fault => {
  const { _tag, message, stderr, ...others } = error
  const said = typeof stderr === "string" && stderr.trim() !== "" ? stderr.trim() : undefined
  const fields = Object.entries(others).map(([name, value]) => `${name}: ${JSON.stringify(value)}`)
  return { tag: _tag, message, detail: [...fields, ...said === undefined ? [] : [said]].join("\n") || undefined }
}

const answerers = { memory: "as before", policy: "nobody was there", completion: "the page says so" }

const answered = (
  elicitation: Elicitation,
  { action, by, content }: Extract<ElicitationOutcome, { _tag: "Answered" }>
) => {
  const chosen = elicitation.kind === "permission"
    ? elicitation.options.find(({ optionId }) => optionId === content?.["optionId"])?.name
    : undefined
  const word = chosen ?? { accept: "Accepted", decline: "Declined", cancel: "Dismissed" }[action]
  return by === undefined ? word : `${word} (${answerers[by]})`
}

/** How a question ended, in a word or two. */
export const settled = ({ elicitation, outcome }: Question): string | undefined => {
  switch (outcome?._tag) {
    case undefined:
      return undefined
    case "Answered":
      return answered(elicitation, outcome)
    case "Withdrawn":
      return `Withdrawn: ${outcome.reason}`
    case "Expired":
      return "Expired"
  }
}

/** What was filled in, where that is in the log: not what is sensitive. */
export const filled = ({ elicitation, outcome }: Question): ReadonlyArray<readonly [label: string, value: string]> => {
  if (elicitation.kind !== "form" || outcome?._tag !== "Answered" || outcome.content === undefined) return []
  return Object.entries(outcome.content).map(([name, value]) => [
    elicitation.schema.properties[name]?.title ?? name,
    typeof value === "boolean" ? (value ? "yes" : "no") : Array.isArray(value) ? value.join(", ") : String(value)
  ])
}

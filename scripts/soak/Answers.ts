/**
 * What each question is answered with, and what the agent then says. Both follow from the question's id, so an answer that went to
 * another question is seen: in the log, and in what the agent reads back.
 */
import type { Elicitation } from "holdfast"
import { hash } from "./Random.js"

export type Question = Elicitation.Elicitation

export interface Reply {
  readonly action: "accept" | "decline" | "cancel"
  readonly content?: Readonly<Record<string, unknown>>
}

const seasons = ["spring", "summer", "autumn", "winter"]
const colours = [["red"], ["green"], ["red", "blue"], []]

/** Most are accepted; some are declined, a few cancelled. */
export const replyTo = (question: Question): Reply => {
  const number = hash(question.id)
  const kind = number % 16
  if (kind === 0) return { action: "cancel" }
  if (kind < 3) return { action: "decline" }
  switch (question.kind) {
    case "form":
      return {
        action: "accept",
        content: {
          name: question.id,
          season: seasons[(number >>> 4) % 4],
          // what has a default is sometimes left out
          ...(number & 0x100 ? { copies: 1 + (number >>> 12) % 10 } : {}),
          ...(number & 0x200 ? { colours: colours[(number >>> 16) % 4] } : {})
        }
      }
    case "permission": {
      // not "always": the agent would ask no more
      const once = question.options.filter(({ kind }) => !kind.endsWith("always"))
      return { action: "accept", content: { optionId: once[(number >>> 4) % once.length]?.optionId } }
    }
    default:
      return { action: "accept" }
  }
}

/** A reply that does not fit the question's form (EB7), if the question has one. */
export const badReplyTo = (question: Question): Reply | undefined =>
  question.kind === "form"
    ? { action: "accept", content: { name: `bad ${question.id}`, season: "monsoon", copies: 11 } }
    : undefined

/** What a permission comes to, as the demo agent sees it: a kind of option, or nothing if it was cancelled. */
const chosen = (question: Question, reply: Reply) => {
  if (question.kind !== "permission" || reply.action === "cancel") return undefined
  return question.options.find((option) =>
    reply.action === "decline" ? option.kind === "reject_once" : option.optionId === reply.content?.["optionId"]
  )
}

export interface Answered {
  readonly question: Question
  /** As the log has it: with the defaults filled in. */
  readonly reply: Reply
}

export const isSame = (left: unknown, right: unknown): boolean => {
  if (typeof left !== "object" || typeof right !== "object" || left === null || right === null) return left === right
  const keys = Object.keys(left)
  return keys.length === Object.keys(right).length &&
    keys.every((key) => isSame(left[key as keyof typeof left], right[key as keyof typeof right]))
}

/** Whether everything that is in `part` is in `whole`, too. */
export const holds = (whole: Readonly<Record<string, unknown>>, part: Readonly<Record<string, unknown>>): boolean =>
  Object.entries(part).every(([key, value]) => isSame(whole[key], value))

const parsed = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined // two answers in a row, or none
  }
}

/** Says what is wrong with the text of a completed run of this script, whose questions were answered like this; nothing if all is well. */
export const faultOfText = (
  script: string,
  text: string,
  answered: ReadonlyArray<Answered>
): string | undefined => {
  const said = JSON.stringify(text)
  const wants = (expected: string) => text === expected ? undefined : `it said ${said}, not ${JSON.stringify(expected)}`
  const [first, second] = answered
  if (script === "/two") {
    const kinds = ["first", "second"].map((name) => {
      const found = answered.find(({ question }) => question.message === `Do the ${name} thing`)
      return found === undefined ? "nothing" : chosen(found.question, found.reply)?.kind
    })
    if (answered.length !== 2) return `it asked ${answered.length} questions and not two`
    return wants(`first: ${kinds[0]}, second: ${kinds[1]}`)
  }
  if (!["/permission", "/form", "/url"].includes(script)) return undefined
  if (first === undefined || second !== undefined) return `it asked ${answered.length} questions and not one`
  const { question, reply } = first
  if (script === "/permission") {
    const option = chosen(question, reply)
    return wants(
      `You chose "${option?.name}" (${option?.kind}): ${
        option?.kind === "reject_once" ? "the paper plane stays here." : "the paper plane is in the air."
      }`
    )
  }
  if (reply.action !== "accept") return wants(`You answered: ${reply.action}`)
  if (script === "/url") return wants("I wait for the page. The page says that you were there.")
  const read = /^You answered: (.*)$/.exec(text)?.[1] ?? ""
  return isSame(parsed(read), reply.content)
    ? undefined
    : `it said ${said}, and the answer was ${JSON.stringify(reply.content)}`
}

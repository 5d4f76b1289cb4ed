/**
 * What may be asked, and what is an answer to it (EB7). Pure; no message tells a value that a person gave (EB11).
 *
 * @since 0.1.0
 */
import * as Either from "effect/Either"
import type { AnswerIssue, ElicitationAnswer, ElicitationRequest } from "./Elicitation.js"
import * as Formats from "./Formats.js"
import { checkForm } from "./FormCheck.js"
import * as FormRules from "./FormRules.js"
import * as Issues from "./Issues.js"

/**
 * Why a question cannot be put to anyone; nothing if it can.
 *
 * @since 0.1.0
 */
export const checkRequest = (request: ElicitationRequest): ReadonlyArray<AnswerIssue> => {
  switch (request.kind) {
    case "permission": {
      if (request.options.length === 0) {
        return [{ path: ["options"], message: "there is nothing to choose; at least one option is needed" }]
      }
      const again = FormRules.repeated(request.options.map((option) => option.optionId))
      return again.size === 0 ?
        [] :
        request.options.flatMap(({ optionId }, index): ReadonlyArray<AnswerIssue> =>
          again.has(optionId)
            ? [{
              path: ["options", String(index), "optionId"],
              message: `${JSON.stringify(optionId)} is there more than once; an answer names one option`
            }]
            : []
        )
    }
    case "form":
      return Either.match(FormRules.parse(request.schema), {
        onLeft: Issues.below("schema"),
        onRight: () => []
      })
    case "url":
      return Formats.isWebAddress(request.url)
        ? []
        : [{ path: ["url"], message: "a person can be sent to an absolute http or https address only" }]
    case "confirmation":
      return []
  }
}

const unexpected = (content: Readonly<Record<string, unknown>>, allowed: ReadonlyArray<string>, message: string) =>
  Object.keys(content).filter((name) => !allowed.includes(name)).map((name): AnswerIssue => ({ path: [name], message }))

/**
 * The answer as it is recorded, defaults filled in; or what is wrong with it, by the path in its `content`.
 *
 * @since 0.1.0
 */
export const checkAnswer = (
  request: ElicitationRequest,
  { action, content = {} }: ElicitationAnswer
): Either.Either<ElicitationAnswer, ReadonlyArray<AnswerIssue>> => {
  const take = (issues: ReadonlyArray<AnswerIssue>, answer: ElicitationAnswer) =>
    issues.length === 0 ? Either.right(answer) : Either.left(issues)
  if (action !== "accept") {
    return take(unexpected(content, [], `Expected no content: an answer that is "${action}" has none`), { action })
  }
  switch (request.kind) {
    case "form":
      return Either.map(checkForm(request.schema, content), (content) => ({ action, content }))
    case "permission": {
      const { optionId } = content
      const options = request.options.map((option) => option.optionId)
      const wrong = unexpected(content, ["optionId"], "Expected nothing but optionId")
      return typeof optionId === "string" && options.includes(optionId)
        ? take(wrong, { action, content: { optionId } })
        : Either.left([{ path: ["optionId"], message: `Expected one of ${options.join(", ")}` }, ...wrong])
    }
    case "url":
    case "confirmation":
      return take(unexpected(content, [], `Expected no content: to a ${request.kind} "accept" says it all`), { action })
  }
}

/**
 * MCP's elicitation, between the protocol's form and ours. Pure.
 *
 * The protocol comes in two kinds. Up to 2025-11-25 a server asks within a call (`elicitation/create`) or fails the call and names the
 * pages that have to be visited first (-32042). From 2026-07-28 on a call ends as `input_required` and is made again with the answers.
 * Both become the same requests here, and the same outcomes go back.
 *
 * ```ts
 * const asked = McpElicitation.fromCreate(params)      // Either<Asked, issues>
 * const result = McpElicitation.toResult(outcome)      // { action: "accept", content: { … } }
 * ```
 *
 * What a server sends is unknown until it is decoded: each `from…` tells every fault with its path.
 *
 * @see https://modelcontextprotocol.io/specification/2025-11-25/client/elicitation
 * @since 0.1.0
 */
import * as Either from "effect/Either"
import * as Predicate from "effect/Predicate"
import * as Schema from "effect/Schema"
import { type AnswerIssue, ElicitationAnswer, type ElicitationOutcome, type ElicitationRequest } from "./Elicitation.js"
import type { FormSchema } from "./Form.js"
import * as Formats from "./Formats.js"
import * as FormRules from "./FormRules.js"
import * as Issues from "./Issues.js"

type Decoded<A> = Either.Either<A, ReadonlyArray<AnswerIssue>>
type Path = ReadonlyArray<string>

/** The kinds of question that MCP has. @since 0.1.0 */
export type Request = Extract<ElicitationRequest, { readonly kind: "form" | "url" }>

/** A question of a server, and the name by which it may say later that it is done (`elicitationId`). @since 0.1.0 */
export interface Asked {
  readonly request: Request
  readonly externalId?: string | undefined
}

/** @since 0.1.0 */
export type CreateParams =
  | { readonly mode: "form"; readonly message: string; readonly requestedSchema: FormSchema }
  | { readonly mode: "url"; readonly message: string; readonly url: string; readonly elicitationId?: string }

const wrong = (message: string, ...path: Path): Either.Either<never, ReadonlyArray<AnswerIssue>> =>
  Either.left([{ path, message }])

// ---------------------------------------------------------------------------------------------- one question

/**
 * Of the parameters of `elicitation/create`; a request without a mode is a form.
 *
 * @since 0.1.0
 */
export const fromCreate = (params: unknown): Decoded<Asked> => {
  if (!Predicate.isRecord(params)) return wrong("Expected the parameters of elicitation/create, an object")
  const { elicitationId, message, mode = "form", requestedSchema, url } = params
  if (typeof message !== "string") return wrong("Expected a message for the person who is asked", "message")
  switch (mode) {
    case "form":
      return Either.mapBoth(FormRules.parse(requestedSchema), {
        onLeft: Issues.below("requestedSchema"),
        onRight: (schema) => ({ request: { kind: "form", message, schema } })
      })
    case "url":
      if (typeof url !== "string" || !Formats.isWebAddress(url)) {
        return wrong("Expected an absolute http or https address", "url")
      }
      if (elicitationId != null && typeof elicitationId !== "string") return wrong("Expected a string", "elicitationId")
      return Either.right({
        request: { kind: "url", message, url },
        ...elicitationId == null ? {} : { externalId: elicitationId }
      })
    default:
      return wrong(`the mode ${JSON.stringify(mode)} is not known; there are form and url`, "mode")
  }
}

/** @since 0.1.0 */
export const toCreate = ({ externalId, request }: Asked): CreateParams =>
  request.kind === "form"
    ? { mode: "form", message: request.message, requestedSchema: request.schema }
    : {
      mode: "url",
      message: request.message,
      url: request.url,
      ...externalId === undefined ? {} : { elicitationId: externalId }
    }

/** The answer as a server gets it. @since 0.1.0 */
export type Result = typeof ElicitationAnswer.Type

/**
 * Whatever is no answer is a cancel: nobody has decided anything.
 *
 * @since 0.1.0
 */
export const toResult = (outcome: ElicitationOutcome): Result => {
  if (outcome._tag !== "Answered") return { action: "cancel" }
  const { action, content } = outcome
  return action === "accept" && content !== undefined ? { action, content } : { action }
}

const decodeAnswer = Schema.decodeUnknownEither(ElicitationAnswer, { errors: "all" })

/** @since 0.1.0 */
export const fromResult = (result: unknown): Decoded<ElicitationAnswer> =>
  Either.mapLeft(decodeAnswer(result), Issues.ofError)

// ------------------------------------------------------------------------------------- pages to be visited first

/** The code of the error `UrlElicitationRequired`. @since 0.1.0 */
export const urlRequiredCode = -32042

/** A call that fails with this may be made again once the pages were visited. @since 0.1.0 */
export interface UrlRequired {
  readonly code: typeof urlRequiredCode
  readonly message: string
  readonly data: { readonly elicitations: ReadonlyArray<CreateParams> }
}

/** @since 0.1.0 */
export const toUrlRequired = (
  pages: ReadonlyArray<Asked & { readonly request: { readonly kind: "url" } }>
): UrlRequired => ({
  code: urlRequiredCode,
  message: `This needs ${pages.length === 1 ? "a page" : `${pages.length} pages`} to be visited first`,
  data: { elicitations: pages.map(toCreate) }
})

/**
 * The pages that an error of a call names.
 *
 * @since 0.1.0
 */
export const fromUrlRequired = (error: unknown): Decoded<ReadonlyArray<Asked>> => {
  if (!Predicate.isRecord(error) || error["code"] !== urlRequiredCode) {
    return wrong(`Expected an error with the code ${urlRequiredCode}`, "code")
  }
  const elicitations = Predicate.isRecord(error["data"]) ? error["data"]["elicitations"] : undefined
  if (!Array.isArray(elicitations)) return wrong("Expected a list of pages", "data", "elicitations")
  return collect(elicitations.map((page, index) => {
    const path = ["data", "elicitations", String(index)]
    return Predicate.isRecord(page) && page["mode"] === "url"
      ? Either.mapLeft(fromCreate(page), Issues.below(...path))
      : wrong("Expected the mode url", ...path, "mode")
  }))
}

// ----------------------------------------------------------------------------------------- calls that are resumed

/** @since 0.1.0 */
export interface InputRequired {
  /** By the names under which the answers go back. */
  readonly questions: ReadonlyArray<{ readonly key: string; readonly request: Request }>
  /** The names of what else the server wants, which is no question to a person: sampling, roots. */
  readonly others: ReadonlyArray<string>
  /** To be sent back as it came: it is the server's, and may be anything. */
  readonly requestState?: string | undefined
}

const method = "elicitation/create"

/**
 * Of a result whose `resultType` is "input_required".
 *
 * @since 0.1.0
 */
export const fromInputRequired = (result: unknown): Decoded<InputRequired> => {
  if (!Predicate.isRecord(result) || result["resultType"] !== "input_required") {
    return wrong("Expected \"input_required\"", "resultType")
  }
  const { inputRequests = {}, requestState } = result
  if (!Predicate.isRecord(inputRequests)) return wrong("Expected an object of requests", "inputRequests")
  if (requestState != null && typeof requestState !== "string") return wrong("Expected a string", "requestState")
  const entries = Object.entries(inputRequests)
  const isQuestion = (input: unknown): input is { readonly params: unknown } =>
    Predicate.isRecord(input) && input["method"] === method
  const questions = entries.flatMap(([key, input]) =>
    isQuestion(input)
      ? [Either.mapBoth(fromCreate(input.params), {
        onLeft: Issues.below("inputRequests", key, "params"),
        onRight: ({ request }) => ({ key, request })
      })]
      : []
  )
  return Either.map(collect(questions), (questions) => ({
    questions,
    others: entries.flatMap(([key, input]) => isQuestion(input) ? [] : [key]),
    ...requestState == null ? {} : { requestState }
  }))
}

/** @since 0.1.0 */
export const toInputRequired = ({ questions, requestState }: Omit<InputRequired, "others">) => ({
  resultType: "input_required" as const,
  inputRequests: Object.fromEntries(
    questions.map(({ key, request }) => [key, { method, params: toCreate({ request }) }])
  ),
  ...requestState === undefined ? {} : { requestState }
})

/**
 * The `inputResponses` with which the call is made again.
 *
 * @since 0.1.0
 */
export const toInputResponses = (
  outcomes: ReadonlyArray<{ readonly key: string; readonly outcome: ElicitationOutcome }>
): Readonly<Record<string, Result>> => Object.fromEntries(outcomes.map(({ key, outcome }) => [key, toResult(outcome)]))

/** @since 0.1.0 */
export const fromInputResponses = (
  responses: unknown
): Decoded<ReadonlyArray<{ readonly key: string; readonly answer: ElicitationAnswer }>> =>
  Predicate.isRecord(responses)
    ? collect(
      Object.entries(responses).map(([key, response]) =>
        Either.mapBoth(fromResult(response), { onLeft: Issues.below(key), onRight: (answer) => ({ key, answer }) })
      )
    )
    : wrong("Expected an object of answers")

/** All, or every fault of any. */
const collect = <A>(items: ReadonlyArray<Decoded<A>>): Decoded<ReadonlyArray<A>> => {
  const issues = items.flatMap((item) => Either.isLeft(item) ? item.left : [])
  return issues.length > 0
    ? Either.left(issues)
    : Either.right(items.flatMap((item) => Either.isRight(item) ? [item.right] : []))
}

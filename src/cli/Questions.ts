/**
 * Questions of an agent as prompts of the terminal, and the answers that need no person.
 *
 * @since 0.1.0
 */
import * as Prompt from "@effect/cli/Prompt"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Elicitation from "../domain/Elicitation.js"
import * as Ansi from "./Ansi.js"

/**
 * The answer that `--yes` stands for: the first option that allows, a form's defaults if they are enough. A page that somebody must
 * go to has none.
 *
 * @since 0.1.0
 */
export const consent = (question: Elicitation.Elicitation): Option.Option<Elicitation.ElicitationAnswer> => {
  switch (question.kind) {
    case "permission":
      return Option.fromNullable(question.options.find((option) => option.kind.startsWith("allow"))).pipe(
        Option.map((option) => ({ action: "accept", content: { optionId: option.optionId } }))
      )
    case "confirmation":
      return Option.some({ action: "accept" })
    case "form":
      return Option.map(Either.getRight(Elicitation.checkForm(question.schema, {})), (content) => ({
        action: "accept",
        content
      }))
    case "url":
      return Option.none()
  }
}

/** A field's value; `None` leaves it out. */
type FieldPrompt = Prompt.Prompt<Option.Option<unknown>>

const optional = (title: string, required: boolean): string => required ? title : `${title} (optional)`

const ofChoices = (
  message: string,
  choices: ReadonlyArray<{ readonly const: string; readonly title: string }>,
  initial: string | null | undefined,
  required: boolean
): FieldPrompt =>
  Prompt.select<Option.Option<unknown>>({
    message,
    choices: [
      ...choices.map((choice) => ({
        title: Ansi.oneLine(choice.title),
        value: Option.some(choice.const),
        selected: choice.const === initial
      })),
      ...(required ? [] : [{ title: "(none)", value: Option.none() }])
    ]
  })

/** What is wrong with one value of a field, by the rule that will judge the whole form. */
const fault = (name: string, field: Elicitation.FormField, value: unknown): string | undefined =>
  Either.match(Elicitation.checkForm({ properties: { [name]: field }, required: [name] }, { [name]: value }), {
    onLeft: (issues) => issues.map((issue) => Ansi.oneLine(issue.message)).join("; "),
    onRight: () => undefined
  })

/** A typed line, read by `parse`; an empty one leaves an optional field out. */
const typed = (
  name: string,
  field: Elicitation.FormField,
  options: {
    readonly message: string
    readonly initial: string
    readonly required: boolean
    readonly secret: boolean
    readonly parse: (line: string) => unknown
  }
): FieldPrompt => {
  const skipped = (line: string) => line === "" && !options.required
  const text = {
    message: options.message,
    default: options.initial,
    validate: (line: string) => {
      const wrong = skipped(line) ? undefined : fault(name, field, options.parse(line))
      return wrong === undefined ? Effect.succeed(line) : Effect.fail(wrong)
    }
  }
  const line = options.secret ? Prompt.map(Prompt.password(text), Redacted.value) : Prompt.text(text)
  return Prompt.map(line, (line) => skipped(line) ? Option.none() : Option.some(options.parse(line)))
}

const ofField = (name: string, field: Elicitation.FormField, required: boolean, secret: boolean): FieldPrompt => {
  const title = optional(Ansi.oneLine(field.title ?? name), required)
  const message = field.description == null ? title : `${title}: ${Ansi.oneLine(field.description)}`
  switch (field.type) {
    case "boolean":
      return Prompt.map(
        Prompt.toggle({ message, initial: field.default ?? false, active: "yes", inactive: "no" }),
        Option.some
      )
    case "array": {
      const choices = Elicitation.choicesOf(field) ?? []
      return Prompt.map(
        Prompt.multiSelect<string>({
          message,
          choices: choices.map((choice) => ({
            title: Ansi.oneLine(choice.title),
            value: choice.const,
            selected: field.default?.includes(choice.const) ?? false
          })),
          ...(field.minItems == null ? {} : { min: field.minItems }),
          ...(field.maxItems == null ? {} : { max: field.maxItems })
        }),
        Option.some
      )
    }
    case "number":
    case "integer":
      return typed(name, field, {
        message,
        initial: field.default == null ? "" : String(field.default),
        required,
        secret,
        // `Number("")` is 0
        parse: (line) => line.trim() === "" ? line : Number(line)
      })
    case "string": {
      const choices = Elicitation.choicesOf(field)
      return choices === undefined
        ? typed(name, field, { message, initial: field.default ?? "", required, secret, parse: (line) => line })
        : ofChoices(message, choices, field.default, required)
    }
  }
}

const decline: Elicitation.ElicitationAnswer = { action: "decline" }

const orDecline = (prompt: Prompt.Prompt<boolean>): Prompt.Prompt<Elicitation.ElicitationAnswer> =>
  Prompt.map(prompt, (yes) => yes ? { action: "accept" } : decline)

/**
 * Which of several questions comes next.
 *
 * @since 0.1.0
 */
export const choose = (
  questions: ReadonlyArray<Elicitation.Elicitation>
): Prompt.Prompt<Elicitation.Elicitation> =>
  Prompt.select({
    message: `${questions.length} questions wait. Which one first?`,
    choices: questions.map((question, index) => ({
      title: `${index + 1}. ${Ansi.oneLine(question.message)}`,
      value: question
    }))
  })

/**
 * The prompt that asks a person.
 *
 * @since 0.1.0
 */
export const prompt = (question: Elicitation.Elicitation): Prompt.Prompt<Elicitation.ElicitationAnswer> => {
  const message = Ansi.oneLine(question.message)
  switch (question.kind) {
    case "permission":
      return Prompt.select<Elicitation.ElicitationAnswer>({
        message,
        choices: [
          ...question.options.map((option): Prompt.Prompt.SelectChoice<Elicitation.ElicitationAnswer> => ({
            title: Ansi.oneLine(option.name),
            value: { action: "accept", content: { optionId: option.optionId } }
          })),
          ...(question.options.length === 0 ? [{ title: "Decline", value: decline }] : [])
        ]
      })
    case "confirmation":
      return orDecline(Prompt.confirm({ message }))
    case "url":
      return orDecline(Prompt.confirm({ message: `${message}\n${Ansi.oneLine(question.url)}\nDone there?` }))
    case "form": {
      const required = new Set(question.schema.required ?? [])
      const fields = Object.entries(question.schema.properties)
      const content = fields.reduce<Prompt.Prompt<Record<string, unknown>>>(
        (before, [name, field]) =>
          Prompt.flatMap(before, (content) =>
            Prompt.map(
              ofField(name, field, required.has(name), question.sensitive === true),
              Option.match({ onNone: () => content, onSome: (value) => ({ ...content, [name]: value }) })
            )),
        Prompt.succeed({})
      )
      return Prompt.select<boolean>({
        message,
        choices: [{ title: "Answer", value: true }, { title: "Decline", value: false }]
      }).pipe(
        Prompt.flatMap((yes): Prompt.Prompt<Elicitation.ElicitationAnswer> =>
          yes ? Prompt.map(content, (content) => ({ action: "accept", content })) : Prompt.succeed(decline)
        )
      )
    }
  }
}

/**
 * Whether an answer fits its form (EB7). Agents do not check what they get back, so it is done here, and every fault is told at once,
 * with its path and without the value that is at fault (EB11).
 *
 * @since 0.1.0
 */
import * as Either from "effect/Either"
import { type AnswerIssue, choicesOf, type FormField, type FormSchema } from "./Form.js"
import { formats } from "./Formats.js"
import * as Pattern from "./Pattern.js"

/** What is wrong, below a path that the caller knows. */
type Fault = AnswerIssue
const fault = (message: string, ...path: ReadonlyArray<string>): Fault => ({ path, message })

const characters = (count: number) => `${count} character${count === 1 ? "" : "s"}`

const ofChoice = (choices: ReadonlyArray<{ readonly const: string }>, value: unknown): ReadonlyArray<Fault> =>
  choices.some((choice) => choice.const === value)
    ? []
    : [fault(`Expected one of ${choices.map((choice) => choice.const).join(", ")}`)]

const ofText = (field: Extract<FormField, { type: "string" }>, value: string): ReadonlyArray<Fault> => {
  const faults: Array<Fault> = []
  // as JSON Schema counts: characters, not the halves of which some are made
  const length = field.minLength == null && field.maxLength == null ? 0 : Array.from(value).length
  if (field.minLength != null && length < field.minLength) {
    faults.push(fault(`Expected at least ${characters(field.minLength)}`))
  }
  if (field.maxLength != null && length > field.maxLength) {
    faults.push(fault(`Expected at most ${characters(field.maxLength)}`))
  }
  if (field.format != null && formats.get(field.format)?.(value) === false) {
    faults.push(fault(`Expected the format ${field.format}`))
  }
  if (field.pattern != null) {
    const pattern = Pattern.compile(field.pattern)
    // one that is none binds no one; `FormRules` does not let it be asked
    if (Either.isRight(pattern) && !pattern.right.matches(value)) {
      faults.push(fault(`Expected to match ${field.pattern}, in at most ${characters(Pattern.maxLength)}`))
    }
  }
  return faults
}

const ofNumber = (field: Extract<FormField, { type: "number" | "integer" }>, value: number): ReadonlyArray<Fault> => {
  const faults: Array<Fault> = []
  if (field.minimum != null && value < field.minimum) {
    faults.push(fault(`Expected a number greater than or equal to ${field.minimum}`))
  }
  if (field.maximum != null && value > field.maximum) {
    faults.push(fault(`Expected a number less than or equal to ${field.maximum}`))
  }
  return faults
}

const ofList = (
  field: Extract<FormField, { type: "array" }>,
  values: ReadonlyArray<unknown>
): ReadonlyArray<Fault> => {
  const faults: Array<Fault> = []
  if (field.minItems != null && values.length < field.minItems) {
    faults.push(fault(`Expected at least ${field.minItems} of the choices`))
  }
  if (field.maxItems != null && values.length > field.maxItems) {
    faults.push(fault(`Expected at most ${field.maxItems} of the choices`))
  }
  const choices = choicesOf(field)
  const allowed = new Set(choices?.map((choice) => choice.const))
  const seen = new Set<unknown>()
  for (const [index, value] of values.entries()) {
    if (typeof value !== "string") faults.push(fault("Expected a string", String(index)))
    else if (choices !== undefined && !allowed.has(value)) {
      faults.push(fault(`Expected one of ${[...allowed].join(", ")}`, String(index)))
    } else if (choices !== undefined && seen.has(value)) {
      faults.push(fault("Expected each choice at most once", String(index)))
    }
    seen.add(value)
  }
  return faults
}

/**
 * What is wrong with one value of a field; nothing if it fits.
 *
 * @since 0.1.0
 */
export const checkValue = (field: FormField, value: unknown): ReadonlyArray<AnswerIssue> => {
  switch (field.type) {
    case "boolean":
      return typeof value === "boolean" ? [] : [fault("Expected a boolean")]
    case "number":
      return typeof value === "number" && Number.isFinite(value)
        ? ofNumber(field, value)
        : [fault("Expected a finite number")]
    case "integer":
      return typeof value === "number" && Number.isSafeInteger(value)
        ? ofNumber(field, value)
        : [fault("Expected an integer")]
    case "array":
      return Array.isArray(value) ? ofList(field, value) : [fault("Expected a list of choices")]
    case "string": {
      if (typeof value !== "string") return [fault("Expected a string")]
      const choices = choicesOf(field)
      return choices === undefined ? ofText(field, value) : ofChoice(choices, value)
    }
  }
}

/**
 * Checks an accepted form against its schema and fills in the defaults (EB7). A missing required field, a wrong value and a field that
 * nobody asked for are all found.
 *
 * @since 0.1.0
 */
export const checkForm = (
  form: FormSchema,
  content: Readonly<Record<string, unknown>>
): Either.Either<Record<string, unknown>, ReadonlyArray<AnswerIssue>> => {
  // a field may have the name of something that every object has: only own names count, and none is assigned to
  const given = new Map(Object.entries(content).filter(([, value]) => value !== undefined))
  const required = new Set(form.required ?? [])
  const issues: Array<AnswerIssue> = []
  const filled: Array<readonly [name: string, value: unknown]> = [...given]
  for (const [name, field] of Object.entries(form.properties)) {
    if (given.has(name)) {
      for (const { message, path } of checkValue(field, given.get(name))) {
        issues.push({ path: [name, ...path], message })
      }
    } else if (field.default != null) filled.push([name, field.default])
    else if (required.has(name)) issues.push({ path: [name], message: "Expected a value: the field is required" })
  }
  for (const name of given.keys()) {
    if (!Object.hasOwn(form.properties, name)) {
      issues.push({
        path: [name],
        message: `Expected one of the form's fields: ${Object.keys(form.properties).join(", ")}`
      })
    }
  }
  return issues.length > 0 ? Either.left(issues) : Either.right(Object.fromEntries(filled))
}

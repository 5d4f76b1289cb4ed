/**
 * A question's schema as fields, and what was filled in as an answer. Pure.
 *
 * What fits is for the gateway to say, which knows the whole schema: a number that is none is sent as it was written and comes back as the
 * error of its field.
 */
import type { AnswerIssue, FormField, FormSchema } from "../../src/domain/Form.js"

export interface Choice {
  readonly value: string
  readonly title: string
  readonly description: string | undefined
}

/** What a person has put into a field; `undefined` where nothing was. */
export type Value = string | boolean | ReadonlyArray<string> | undefined
export type Values = Readonly<Record<string, Value>>

export interface Field {
  readonly name: string
  readonly label: string
  readonly description: string | undefined
  readonly required: boolean
  /** What is expected, in words; empty if anything is. */
  readonly hint: string
  readonly initial: Value
  readonly control:
    | {
      readonly _tag: "Text"
      readonly type: "text" | "email" | "url" | "date" | "datetime-local"
      readonly long: boolean
    }
    | { readonly _tag: "Number"; readonly integer: boolean }
    | { readonly _tag: "Switch" }
    | { readonly _tag: "One"; readonly choices: ReadonlyArray<Choice> }
    | { readonly _tag: "Many"; readonly choices: ReadonlyArray<Choice> }
}

type StringField = Extract<FormField, { readonly type: "string" }>
type ArrayField = Extract<FormField, { readonly type: "array" }>

const titled = (choices: ReadonlyArray<{ const: string; title: string; description?: string | null | undefined }>) =>
  choices.map((each): Choice => ({ value: each.const, title: each.title, description: each.description ?? undefined }))

const choicesOf = (field: StringField | ArrayField): ReadonlyArray<Choice> | undefined => {
  if (field.type === "array") {
    const { anyOf, enum: values } = field.items
    return values?.map((value) => ({ value, title: value, description: undefined })) ??
      (anyOf == null ? [] : titled(anyOf))
  }
  return field.enum?.map((value, index) => ({
    value,
    title: field.enumNames?.[index] ?? value,
    description: undefined
  })) ??
    (field.oneOf == null ? undefined : titled(field.oneOf))
}

const range = (min: number | null | undefined, max: number | null | undefined, unit: string): string => {
  const of = unit === "" ? "" : ` ${unit}`
  if (min != null && max != null) return min === max ? `exactly ${min}${of}` : `${min} to ${max}${of}`
  if (min != null) return `at least ${min}${of}`
  return max != null ? `at most ${max}${of}` : ""
}

const formats: Readonly<Record<string, { type: "email" | "url" | "date" | "datetime-local"; hint: string }>> = {
  email: { type: "email", hint: "an e-mail address" },
  uri: { type: "url", hint: "an address with its scheme, like https://…" },
  date: { type: "date", hint: "" },
  "date-time": { type: "datetime-local", hint: "in your time zone" }
}

const textual = (field: StringField): Pick<Field, "control" | "hint"> => {
  const format = Object.hasOwn(formats, field.format ?? "") ? formats[field.format ?? ""] : undefined
  const long = format === undefined && field.maxLength != null && field.maxLength > 120
  // of one character at least says no more than that it is required
  const length = range(
    field.minLength === 1 && field.maxLength == null ? null : field.minLength,
    field.maxLength,
    "characters"
  )
  const pattern = field.pattern == null ? "" : `matching ${field.pattern}`
  return {
    control: { _tag: "Text", type: format?.type ?? "text", long },
    hint: [format?.hint ?? "", length, pattern].filter((part) => part !== "").join(", ")
  }
}

const pad = (count: number) => String(count).padStart(2, "0")

/** As `<input type="datetime-local">` has it: the time on this person's clock. */
const toLocal = (text: string): string => {
  const date = new Date(text)
  if (Number.isNaN(date.getTime())) return ""
  const day = `${date.getFullYear()}-${pad(date.getMonth() + 1)}-${pad(date.getDate())}`
  return `${day}T${pad(date.getHours())}:${pad(date.getMinutes())}:${pad(date.getSeconds())}`
}

const toField = (name: string, field: FormField, required: boolean): Field => {
  const base = { name, label: field.title ?? name, description: field.description ?? undefined, required }
  switch (field.type) {
    case "boolean":
      return { ...base, control: { _tag: "Switch" }, hint: "", initial: field.default ?? undefined }
    case "number":
    case "integer":
      return {
        ...base,
        control: { _tag: "Number", integer: field.type === "integer" },
        hint: [field.type === "integer" ? "a whole number" : "a number", range(field.minimum, field.maximum, "")]
          .filter((part) => part !== "").join(", "),
        initial: field.default == null ? undefined : String(field.default)
      }
    case "array":
      return {
        ...base,
        control: { _tag: "Many", choices: choicesOf(field) ?? [] },
        hint: range(field.minItems === 0 ? null : field.minItems, field.maxItems, "of them"),
        initial: field.default ?? undefined
      }
    case "string": {
      const choices = choicesOf(field)
      if (choices !== undefined) {
        return { ...base, control: { _tag: "One", choices }, hint: "", initial: field.default ?? undefined }
      }
      const initial = field.default == null || field.format !== "date-time" ? field.default : toLocal(field.default)
      return { ...base, ...textual(field), initial: initial ?? undefined }
    }
  }
}

export const fields = (schema: FormSchema): ReadonlyArray<Field> => {
  const required = new Set(schema.required ?? [])
  return Object.entries(schema.properties).map(([name, field]) => toField(name, field, required.has(name)))
}

export const initial = (fields: ReadonlyArray<Field>): Values =>
  Object.fromEntries(fields.map((field) => [field.name, field.initial]))

const ofText = (control: Field["control"], value: string): unknown => {
  if (control._tag === "Number") {
    const number = Number(value)
    return value.trim() === "" || Number.isNaN(number) ? value : number
  }
  if (control._tag !== "Text" || control.type !== "datetime-local") return value
  const date = new Date(value)
  return Number.isNaN(date.getTime()) ? value : date.toISOString().replace(/\.000Z$/, "Z")
}

/** The answer's content. What was left empty is left out, and a required field among it comes back as an error. */
export const toContent = (fields: ReadonlyArray<Field>, values: Values): Readonly<Record<string, unknown>> =>
  Object.fromEntries(fields.flatMap(({ control, name, required }): ReadonlyArray<readonly [string, unknown]> => {
    const value = Object.hasOwn(values, name) ? values[name] : undefined
    if (control._tag === "Switch") return value === undefined && !required ? [] : [[name, value ?? false]]
    if (control._tag === "Many") return value === undefined && !required ? [] : [[name, value ?? []]]
    if (control._tag === "One") return value === undefined ? [] : [[name, value]]
    return typeof value !== "string" || value === "" ? [] : [[name, ofText(control, value)]]
  }))

/** The errors by the names of their fields; those of none under the empty name. */
export const byField = (
  fields: ReadonlyArray<Field>,
  issues: ReadonlyArray<AnswerIssue>
): ReadonlyMap<string, string> => {
  const known = new Set(fields.map((field) => field.name))
  const errors = new Map<string, string>()
  for (const { message, path: [name = ""] } of issues) {
    const place = known.has(name) ? name : ""
    errors.set(place, errors.has(place) ? `${errors.get(place)}; ${message}` : message)
  }
  return errors
}

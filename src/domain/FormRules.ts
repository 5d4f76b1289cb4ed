/**
 * Which forms may be asked: what ACP and MCP allow and nothing else, so that every client can show it and every answer can be checked.
 *
 * A person must not fill in a form that no answer fits, or whose rules nobody applies: what is not understood is refused when it is
 * asked, with the path and what would be allowed.
 *
 * @since 0.1.0
 */
import * as Either from "effect/Either"
import type * as ParseResult from "effect/ParseResult"
import * as Predicate from "effect/Predicate"
import * as Schema from "effect/Schema"
import {
  type AnswerIssue,
  ArrayField,
  BooleanField,
  choicesOf,
  type FormField,
  FormSchema,
  NumberField,
  StringField
} from "./Form.js"
import { checkValue } from "./FormCheck.js"
import * as Issues from "./Issues.js"
import * as Pattern from "./Pattern.js"

type Path = ReadonlyArray<string>

const all = { errors: "all" } as const
const decoders: Readonly<Record<string, (field: unknown) => Either.Either<FormField, ParseResult.ParseError>>> = {
  string: Schema.decodeUnknownEither(StringField, all),
  number: Schema.decodeUnknownEither(NumberField, all),
  integer: Schema.decodeUnknownEither(NumberField, all),
  boolean: Schema.decodeUnknownEither(BooleanField, all),
  array: Schema.decodeUnknownEither(ArrayField, all)
}
const decodeForm = Schema.decodeUnknownEither(FormSchema, all)
const types = Object.keys(decoders).join(", ")

const own: Readonly<Record<string, Path>> = {
  string: Object.keys(StringField.fields),
  number: Object.keys(NumberField.fields),
  integer: Object.keys(NumberField.fields),
  boolean: Object.keys(BooleanField.fields),
  // each choice can be taken once anyhow
  array: [...Object.keys(ArrayField.fields), "uniqueItems"]
}

/** JSON Schema's keywords that restrict a value: left out they would be a promise that nobody keeps. Others are remarks, and dropped. */
const restrictions = new Set(
  ("$ref $dynamicRef allOf anyOf oneOf not if then else enum enumNames const multipleOf minimum maximum exclusiveMinimum " +
    "exclusiveMaximum minLength maxLength pattern format items prefixItems contains minContains maxContains minItems maxItems " +
    "uniqueItems properties patternProperties additionalProperties propertyNames required minProperties maxProperties " +
    "dependentRequired dependentSchemas dependencies unevaluatedItems unevaluatedProperties").split(" ")
)

const foreign = (value: object, allowed: Path, path: Path, what: string): ReadonlyArray<AnswerIssue> =>
  Object.entries(value)
    .filter(([name, value]) => value != null && restrictions.has(name) && !allowed.includes(name))
    .map(([name]) => ({
      path: [...path, name],
      message: `"${name}" is not allowed for ${what}; allowed are ${allowed.join(", ")}`
    }))

/** @since 0.1.0 */
export const repeated = (values: ReadonlyArray<string>): ReadonlySet<string> => {
  const seen = new Set<string>()
  const again = new Set<string>()
  for (const value of values) (seen.has(value) ? again : seen).add(value)
  return again
}

/** What is wrong with a field whose form is right. */
const ofField = (field: FormField, path: Path): ReadonlyArray<AnswerIssue> => {
  const issues: Array<AnswerIssue> = []
  const wrong = (message: string, ...below: Path) => issues.push({ path: [...path, ...below], message })
  const order = (min: number | null | undefined, max: number | null | undefined, name: string) => {
    if (min != null && max != null && min > max) {
      wrong(`${min} is greater than the maximum of ${max}: no value fits`, name)
    }
  }
  const choices = choicesOf(field)
  if (choices !== undefined) {
    const values = choices.map((choice) => choice.const)
    const at = field.type === "array" ? ["items"] : []
    if (values.length === 0) wrong("there is no choice; at least one is needed", ...at)
    for (const value of repeated(values)) wrong(`the choice ${JSON.stringify(value)} is there twice`, ...at)
  }
  switch (field.type) {
    case "string":
      order(field.minLength, field.maxLength, "minLength")
      if (field.enum != null && field.oneOf != null) wrong("either enum or oneOf, not both", "oneOf")
      if (field.enumNames != null && field.enumNames.length !== field.enum?.length) {
        wrong("enumNames has a title for each value of enum", "enumNames")
      }
      if (field.pattern != null) {
        const pattern = Pattern.compile(field.pattern)
        if (Either.isLeft(pattern)) wrong(pattern.left, "pattern")
      }
      break
    case "number":
    case "integer":
      order(field.minimum, field.maximum, "minimum")
      break
    case "array":
      order(field.minItems, field.maxItems, "minItems")
      if (choices === undefined) {
        wrong("a list holds choices: items is { enum: [...] } or { anyOf: [{ const, title }] }", "items")
      } else order(field.minItems, choices.length, "minItems")
      if (field.items.enum != null && field.items.anyOf != null) {
        wrong("either enum or anyOf, not both", "items", "anyOf")
      }
  }
  // told of a field that is right otherwise: of one that is not, the default is not the fault
  if (issues.length === 0 && field.default != null) {
    for (const issue of checkValue(field, field.default)) {
      wrong(`it does not fit: ${issue.message}`, "default", ...issue.path)
    }
  }
  return issues
}

const nested = (type: string): string =>
  type === "object" ? "a form is flat: ask for the parts of an object as fields of their own; allowed" : "allowed"

const checkField = (field: unknown, path: Path): ReadonlyArray<AnswerIssue> => {
  if (!Predicate.isRecord(field)) return [{ path, message: `a field is an object with a type; allowed are ${types}` }]
  const { type } = field
  const decode = typeof type === "string" && Object.hasOwn(decoders, type) ? decoders[type] : undefined
  if (decode === undefined || typeof type !== "string") {
    const told = JSON.stringify(type) ?? "no type"
    return [{ path: [...path, "type"], message: `${told} is no type of a field; ${nested(String(type))} are ${types}` }]
  }
  const strange = foreign(field, own[type] ?? [], path, `a field of type ${type}`)
  const items = field["items"]
  const itemsStrange = type === "array" && Predicate.isRecord(items)
    ? foreign(items, ["enum", "anyOf"], [...path, "items"], "the items of a list")
    : []
  const decoded = decode(field)
  return [
    ...strange,
    ...itemsStrange,
    ...Either.isLeft(decoded) ? Issues.ofError(decoded.left, path) : ofField(decoded.right, path)
  ]
}

/**
 * The form as it is asked, or every reason for which it is not. Paths begin at the schema itself.
 *
 * @since 0.1.0
 */
export const parse = (schema: unknown): Either.Either<FormSchema, ReadonlyArray<AnswerIssue>> => {
  if (!Predicate.isRecord(schema)) {
    return Either.left([{ path: [], message: "a form is an object with type \"object\" and properties" }])
  }
  const { additionalProperties, properties, required, type } = schema
  const issues: Array<AnswerIssue> = [
    ...foreign(schema, ["properties", "required", "additionalProperties"], [], "a form")
  ]
  if (type != null && type !== "object") issues.push({ path: ["type"], message: "the type of a form is \"object\"" })
  if (additionalProperties != null && typeof additionalProperties !== "boolean") {
    issues.push({ path: ["additionalProperties"], message: "a form has only the fields of its properties" })
  }
  if (properties != null && !Predicate.isRecord(properties)) {
    issues.push({ path: ["properties"], message: "properties is an object of fields" })
  }
  const fields = Predicate.isRecord(properties) ? properties : {}
  if (Object.hasOwn(fields, "__proto__")) {
    issues.push({ path: ["properties", "__proto__"], message: "no field can have this name; any other is allowed" })
  }
  for (const [name, field] of Object.entries(fields)) {
    for (const issue of checkField(field, ["properties", name])) issues.push(issue)
  }
  for (const [index, name] of (Array.isArray(required) ? required : []).entries()) {
    if (typeof name === "string" && !Object.hasOwn(fields, name)) {
      issues.push({
        path: ["required", String(index)],
        message: `there is no field ${JSON.stringify(name)}; there are ${Object.keys(fields).join(", ") || "none"}`
      })
    }
  }
  if (issues.length > 0) return Either.left(issues)
  // `null` means absent wherever an agent may leave something out
  return Either.mapLeft(
    decodeForm({ ...schema, type: type ?? undefined, properties: fields }),
    (error) => Issues.ofError(error)
  )
}

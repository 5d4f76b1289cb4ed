/**
 * A question to a person and its answer.
 *
 * Four kinds: `permission` (choose one of the agent's options), `form` (fill a flat schema), `url` (go there and come back) and
 * `confirmation` (yes or no). The form schema is the flat subset of JSON Schema that ACP and MCP share.
 *
 * @see https://modelcontextprotocol.io/specification/2025-11-25/client/elicitation
 * @since 0.1.0
 */
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as ParseResult from "effect/ParseResult"
import * as Schema from "effect/Schema"
import { ElicitationId, RunId, SessionId } from "./Ids.js"

const optional = <A, I>(schema: Schema.Schema<A, I>) => Schema.optional(Schema.NullOr(schema))
const described = { title: optional(Schema.String), description: optional(Schema.String) }
const Choice = Schema.Struct({ const: Schema.String, title: Schema.String })

const StringField = Schema.Struct({
  type: Schema.Literal("string"),
  ...described,
  default: optional(Schema.String),
  minLength: optional(Schema.Int),
  maxLength: optional(Schema.Int),
  pattern: optional(Schema.String),
  format: optional(Schema.String),
  enum: optional(Schema.Array(Schema.String)),
  oneOf: optional(Schema.Array(Choice))
})

const NumberField = Schema.Struct({
  type: Schema.Literal("number", "integer"),
  ...described,
  default: optional(Schema.Number),
  minimum: optional(Schema.Number),
  maximum: optional(Schema.Number)
})

const BooleanField = Schema.Struct({
  type: Schema.Literal("boolean"),
  ...described,
  default: optional(Schema.Boolean)
})

const ArrayField = Schema.Struct({
  type: Schema.Literal("array"),
  ...described,
  default: optional(Schema.Array(Schema.String)),
  minItems: optional(Schema.Int),
  maxItems: optional(Schema.Int),
  items: Schema.Struct({ enum: optional(Schema.Array(Schema.String)), anyOf: optional(Schema.Array(Choice)) })
})

/** One field of a form. @since 0.1.0 */
export const FormField = Schema.Union(StringField, NumberField, BooleanField, ArrayField)
/** @since 0.1.0 */
export type FormField = typeof FormField.Type

/** @since 0.1.0 */
export const FormSchema = Schema.Struct({
  type: Schema.optional(Schema.Literal("object")),
  ...described,
  properties: Schema.optionalWith(Schema.Record({ key: Schema.String, value: FormField }), { default: () => ({}) }),
  required: optional(Schema.Array(Schema.String))
})
/** @since 0.1.0 */
export type FormSchema = typeof FormSchema.Type

/** @since 0.1.0 */
export const PermissionOption = Schema.Struct({
  optionId: Schema.String,
  name: Schema.String,
  /** ACP's `allow_once allow_always reject_once reject_always`; other values pass through. */
  kind: Schema.String
})

const asked = {
  message: Schema.String,
  toolCallId: Schema.optional(Schema.String),
  /** The answer is a secret: it reaches no log, span or store (EB11). */
  sensitive: Schema.optional(Schema.Boolean)
}

const Permission = { kind: Schema.Literal("permission"), ...asked, options: Schema.Array(PermissionOption) }
const Form = { kind: Schema.Literal("form"), ...asked, schema: FormSchema }
const Url = { kind: Schema.Literal("url"), ...asked, url: Schema.String }
const Confirmation = { kind: Schema.Literal("confirmation"), ...asked }

/**
 * What an agent wants to know.
 *
 * @since 0.1.0
 */
export const ElicitationRequest = Schema.Union(
  Schema.Struct(Permission),
  Schema.Struct(Form),
  Schema.Struct(Url),
  Schema.Struct(Confirmation)
)
/** @since 0.1.0 */
export type ElicitationRequest = typeof ElicitationRequest.Type

const registered = {
  id: ElicitationId,
  sessionId: SessionId,
  /** The run that asked; absent for a question between runs. */
  runId: Schema.optional(RunId),
  /** When it expires, ISO 8601. */
  deadline: Schema.optional(Schema.String)
}

/**
 * A question that was asked.
 *
 * @since 0.1.0
 */
export const Elicitation = Schema.Union(
  Schema.Struct({ ...registered, ...Permission }),
  Schema.Struct({ ...registered, ...Form }),
  Schema.Struct({ ...registered, ...Url }),
  Schema.Struct({ ...registered, ...Confirmation })
)
/** @since 0.1.0 */
export type Elicitation = typeof Elicitation.Type

/**
 * What a person sends back. To a permission: `content: { optionId }`.
 *
 * @since 0.1.0
 */
export const ElicitationAnswer = Schema.Struct({
  action: Schema.Literal("accept", "decline", "cancel"),
  content: Schema.optional(Schema.Record({ key: Schema.String, value: Schema.Unknown }))
})
/** @since 0.1.0 */
export type ElicitationAnswer = typeof ElicitationAnswer.Type

/**
 * How a question ended: exactly one of these (EB2).
 *
 * @since 0.1.0
 */
export const ElicitationOutcome = Schema.Union(
  Schema.TaggedStruct("Answered", ElicitationAnswer.fields),
  Schema.TaggedStruct("Withdrawn", { reason: Schema.String }),
  Schema.TaggedStruct("Expired", {})
)
/** @since 0.1.0 */
export type ElicitationOutcome = typeof ElicitationOutcome.Type

/** One fault of an answer: which field, and what would be right. @since 0.1.0 */
export const AnswerIssue = Schema.Struct({ path: Schema.Array(Schema.String), message: Schema.String })
/** @since 0.1.0 */
export type AnswerIssue = typeof AnswerIssue.Type

const formats: Readonly<Record<string, RegExp>> = {
  email: /^[^\s@]+@[^\s@]+\.[^\s@]+$/,
  uri: /^[a-z][a-z0-9+.-]*:\S+$/i,
  date: /^\d{4}-\d{2}-\d{2}$/,
  "date-time": /^\d{4}-\d{2}-\d{2}t\d{2}:\d{2}:\d{2}(\.\d+)?(z|[+-]\d{2}:\d{2})$/i
}

/** A pattern that is none binds no one. It matches anywhere, as in JSON Schema. */
const toRegExp = (pattern: string | null | undefined): RegExp | undefined =>
  pattern == null ? undefined : Option.getOrUndefined(Option.liftThrowable(() => new RegExp(pattern, "u"))())

/** `schema`, refined where the field states a bound. */
const bounded = <A>(
  schema: Schema.Schema<A>,
  ...bounds: ReadonlyArray<readonly [bound: unknown, refine: (schema: Schema.Schema<A>) => Schema.Schema<A>]>
): Schema.Schema<A> => bounds.reduce((schema, [bound, refine]) => bound == null ? schema : refine(schema), schema)

const oneOf = (choices: ReadonlyArray<string>) =>
  Schema.String.pipe(
    Schema.filter((value) => choices.includes(value) || `Expected one of ${choices.join(", ")}`)
  )

const ofField = (field: FormField): Schema.Schema.AnyNoContext => {
  switch (field.type) {
    case "boolean":
      return Schema.Boolean
    case "integer":
    case "number":
      return bounded<number>(
        field.type === "integer" ? Schema.Int : Schema.JsonNumber,
        [field.minimum, Schema.greaterThanOrEqualTo(field.minimum ?? 0)],
        [field.maximum, Schema.lessThanOrEqualTo(field.maximum ?? 0)]
      )
    case "array": {
      const choices = field.items.enum ?? field.items.anyOf?.map((choice) => choice.const)
      return bounded<ReadonlyArray<string>>(
        Schema.Array(choices == null ? Schema.String : oneOf(choices)),
        [field.minItems, Schema.minItems(field.minItems ?? 0)],
        [field.maxItems, Schema.maxItems(field.maxItems ?? 0)]
      )
    }
    case "string": {
      const choices = field.enum ?? field.oneOf?.map((choice) => choice.const)
      if (choices != null) return oneOf(choices)
      const format = field.format == null ? undefined : formats[field.format]
      const pattern = toRegExp(field.pattern)
      return bounded<string>(
        Schema.String,
        [field.minLength, Schema.minLength(field.minLength ?? 0)],
        [field.maxLength, Schema.maxLength(field.maxLength ?? 0)],
        [pattern, Schema.pattern(pattern ?? /^/, { message: () => `Expected to match ${field.pattern}` })],
        [format, Schema.pattern(format ?? /^/, { message: () => `Expected the format ${field.format}` })]
      )
    }
  }
}

/**
 * Checks an accepted form against its schema and fills in the defaults (EB7). Agents do not check what they get back, so a
 * missing required field, a wrong type and a field that nobody asked for are all found here.
 *
 * @since 0.1.0
 */
export const checkForm = (
  form: FormSchema,
  content: Readonly<Record<string, unknown>>
): Either.Either<Record<string, unknown>, ReadonlyArray<AnswerIssue>> => {
  const filled = Object.fromEntries(Object.entries(content).filter(([, value]) => value !== undefined))
  for (const [name, field] of Object.entries(form.properties)) {
    if (!Object.hasOwn(filled, name) && field.default != null) filled[name] = field.default
  }
  const required = new Set(form.required ?? [])
  const fields = Object.fromEntries(
    Object.entries(form.properties).map(([name, field]) => {
      const schema = ofField(field)
      return [name, required.has(name) ? schema : Schema.optionalWith(schema, { exact: true })] as const
    })
  )
  return Schema.decodeUnknownEither(Schema.Struct(fields), { errors: "all", onExcessProperty: "error" })(filled).pipe(
    Either.mapBoth({
      onLeft: (error) =>
        ParseResult.ArrayFormatter.formatErrorSync(error).map((issue): AnswerIssue => ({
          path: issue.path.map(String),
          // EB11: the fault is told, not the value
          message: issue.message.replace(/, actual .*$/s, "")
        })),
      onRight: () => filled
    })
  )
}

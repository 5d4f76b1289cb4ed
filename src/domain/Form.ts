/**
 * A form: the flat subset of JSON Schema that ACP and MCP share, as data. `FormRules` tells which forms may be asked, `FormCheck` which
 * answers fit one.
 *
 * @see https://modelcontextprotocol.io/specification/2025-11-25/client/elicitation
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"

// agents that are written in Rust send `null` for what is absent
const optional = <A, I>(schema: Schema.Schema<A, I>) => Schema.optional(Schema.NullOr(schema))
const described = { title: optional(Schema.String), description: optional(Schema.String) }
const Choice = Schema.Struct({ const: Schema.String, title: Schema.String, description: optional(Schema.String) })
const Size = Schema.Int.pipe(Schema.nonNegative())

/** A text, or one of the choices of `enum` (with the titles of `enumNames`, if they are given) or `oneOf`. @since 0.1.0 */
export const StringField = Schema.Struct({
  type: Schema.Literal("string"),
  ...described,
  default: optional(Schema.String),
  minLength: optional(Size),
  maxLength: optional(Size),
  pattern: optional(Schema.String),
  format: optional(Schema.String),
  enum: optional(Schema.Array(Schema.String)),
  enumNames: optional(Schema.Array(Schema.String)),
  oneOf: optional(Schema.Array(Choice))
})

/** @since 0.1.0 */
export const NumberField = Schema.Struct({
  type: Schema.Literal("number", "integer"),
  ...described,
  default: optional(Schema.JsonNumber),
  minimum: optional(Schema.JsonNumber),
  maximum: optional(Schema.JsonNumber)
})

/** @since 0.1.0 */
export const BooleanField = Schema.Struct({
  type: Schema.Literal("boolean"),
  ...described,
  default: optional(Schema.Boolean)
})

/** Any number of the choices of `enum` or `anyOf`, each once. @since 0.1.0 */
export const ArrayField = Schema.Struct({
  type: Schema.Literal("array"),
  ...described,
  default: optional(Schema.Array(Schema.String)),
  minItems: optional(Size),
  maxItems: optional(Size),
  items: Schema.Struct({
    type: optional(Schema.Literal("string")),
    enum: optional(Schema.Array(Schema.String)),
    anyOf: optional(Schema.Array(Choice))
  })
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

/** One fault, of an answer or of a question: where, and what would be right. It tells no value (EB11). @since 0.1.0 */
export const AnswerIssue = Schema.Struct({ path: Schema.Array(Schema.String), message: Schema.String })
/** @since 0.1.0 */
export type AnswerIssue = typeof AnswerIssue.Type

/** The choices of a field with their titles; `undefined` for one that is no select. @since 0.1.0 */
export const choicesOf = (
  field: FormField
): ReadonlyArray<{ readonly const: string; readonly title: string }> | undefined => {
  switch (field.type) {
    case "string":
      return field.enum?.map((value, index) => ({ const: value, title: field.enumNames?.[index] ?? value })) ??
        field.oneOf ?? undefined
    case "array":
      return field.items.enum?.map((value) => ({ const: value, title: value })) ?? field.items.anyOf ?? undefined
    default:
      return undefined
  }
}

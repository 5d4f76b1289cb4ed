/** Forms as an agent may ask them, drawn by chance. */
import * as FastCheck from "effect/FastCheck"
import type { FormField, FormSchema } from "../../src/domain/Elicitation.js"

const text = FastCheck.string({ maxLength: 8 })
const names = FastCheck.uniqueArray(text, { minLength: 1, maxLength: 4 })
const choices = FastCheck.uniqueArray(FastCheck.record({ const: text, title: text }), {
  minLength: 1,
  maxLength: 4,
  selector: (choice) => choice.const
})
const optional = <A>(arbitrary: FastCheck.Arbitrary<A>) => FastCheck.option(arbitrary, { nil: undefined })

/** Without the fields that are `undefined`. */
const compact = <A extends object>(value: A) =>
  Object.fromEntries(Object.entries(value).filter(([, each]) => each !== undefined)) as {
    [K in keyof A]: Exclude<A[K], undefined>
  }

const sizes = FastCheck.tuple(FastCheck.nat(4), FastCheck.nat(4)).map(([min, more]) => ({ min, max: min + more }))

const string = FastCheck.record({ title: optional(text), description: optional(text), sizes: optional(sizes) }).chain(
  ({ sizes, ...described }) =>
    optional(
      FastCheck.string({ minLength: sizes?.min ?? 0, maxLength: sizes?.max ?? 8 })
        .filter((value) => {
          const length = Array.from(value).length
          return length >= (sizes?.min ?? 0) && length <= (sizes?.max ?? 8)
        })
    ).map((value) =>
      compact({ type: "string" as const, ...described, minLength: sizes?.min, maxLength: sizes?.max, default: value })
    )
)

const number = FastCheck.record({
  type: FastCheck.constantFrom("number" as const, "integer" as const),
  title: optional(text),
  minimum: optional(FastCheck.integer({ min: -5, max: 0 })),
  maximum: optional(FastCheck.integer({ min: 0, max: 5 })),
  default: optional(FastCheck.constant(0))
}).map(compact)

const boolean = FastCheck.record({
  type: FastCheck.constant("boolean" as const),
  default: optional(FastCheck.boolean())
})
  .map(compact)

const select = FastCheck.oneof(
  names.chain((values) =>
    FastCheck.record({
      type: FastCheck.constant("string" as const),
      enum: FastCheck.constant(values),
      enumNames: optional(FastCheck.constant(values.map((value) => `the ${value}`))),
      default: optional(FastCheck.constantFrom(...values))
    }).map(compact)
  ),
  choices.chain((values) =>
    FastCheck.record({
      type: FastCheck.constant("string" as const),
      oneOf: FastCheck.constant(values),
      default: optional(FastCheck.constantFrom(...values.map((value) => value.const)))
    }).map(compact)
  )
)

const multiSelect = FastCheck.oneof(
  names.map((values) => [values, { type: "string" as const, enum: values }] as const),
  choices.map((values) => [values.map((value) => value.const), { anyOf: values }] as const)
).chain(([values, items]) =>
  FastCheck.subarray([...values]).chain((chosen) =>
    FastCheck.record({
      type: FastCheck.constant("array" as const),
      items: FastCheck.constant(items),
      minItems: optional(FastCheck.nat(chosen.length)),
      maxItems: optional(FastCheck.integer({ min: chosen.length, max: values.length })),
      default: optional(FastCheck.constant(chosen))
    }).map(compact)
  )
)

export const field: FastCheck.Arbitrary<FormField> = FastCheck.oneof(string, number, boolean, select, multiSelect)

export const form: FastCheck.Arbitrary<FormSchema> = FastCheck.dictionary(
  FastCheck.string({ maxLength: 5 }).filter((name) => name !== "__proto__"),
  field,
  { maxKeys: 4, noNullPrototype: true }
).chain((properties) =>
  FastCheck.subarray(Object.keys(properties)).map((required) => ({ type: "object" as const, properties, required }))
)

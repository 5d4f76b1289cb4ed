/** The part of OpenAPI that `/openapi.json` uses: what values a schema allows, and values to try. */
import * as fc from "effect/FastCheck"

export interface JsonSchema {
  readonly $ref?: string
  readonly type?: string
  readonly enum?: ReadonlyArray<unknown>
  readonly anyOf?: ReadonlyArray<JsonSchema>
  readonly properties?: Readonly<Record<string, JsonSchema>>
  readonly required?: ReadonlyArray<string>
  readonly additionalProperties?: boolean | JsonSchema
  readonly items?: JsonSchema
  readonly pattern?: string
  readonly minLength?: number
  readonly maxLength?: number
}

export interface Operation {
  readonly method: string
  /** `/v1/sessions/{id}` */
  readonly path: string
  readonly parameters: ReadonlyArray<{ readonly name: string; readonly in: string; readonly schema: JsonSchema }>
  readonly body: JsonSchema | undefined
  /** By status; `undefined` for a response without a JSON body. */
  readonly responses: Readonly<Record<string, JsonSchema | undefined>>
  /** By status: what is not JSON. */
  readonly types: Readonly<Record<string, ReadonlyArray<string>>>
}

interface Content {
  readonly content?: Readonly<Record<string, { readonly schema: JsonSchema }>>
}

export interface OpenApi {
  readonly paths: Readonly<
    Record<
      string,
      Readonly<
        Record<string, {
          readonly parameters: Operation["parameters"]
          readonly requestBody?: Content
          readonly responses: Readonly<Record<string, Content>>
        }>
      >
    >
  >
  readonly components: { readonly schemas: Readonly<Record<string, JsonSchema>> }
}

const json = ({ content }: Content = {}) => content?.["application/json"]?.schema

export const operations = ({ paths }: OpenApi): ReadonlyArray<Operation> =>
  Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, { parameters, requestBody, responses }]) => ({
      method: method.toUpperCase(),
      path,
      parameters,
      body: json(requestBody),
      responses: Object.fromEntries(Object.entries(responses).map(([status, response]) => [status, json(response)])),
      types: Object.fromEntries(
        Object.entries(responses).map(([status, { content = {} }]) => [status, Object.keys(content)])
      )
    }))
  )

const resolve = ({ components }: OpenApi, schema: JsonSchema): JsonSchema => {
  const name = schema.$ref?.split("/").pop()
  return name === undefined ? schema : resolve({ components } as OpenApi, components.schemas[name] ?? {})
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value)

/** Whether the value is one of those that the schema allows. */
export const allows = (document: OpenApi, reference: JsonSchema, value: unknown): boolean => {
  const schema = resolve(document, reference)
  if (schema.anyOf !== undefined) return schema.anyOf.some((each) => allows(document, each, value))
  if (schema.enum !== undefined) return schema.enum.includes(value)
  switch (schema.type) {
    case "object": {
      if (!isObject(value)) return false
      const { additionalProperties = true, properties = {}, required = [] } = schema
      return required.every((name) => Object.hasOwn(value, name)) &&
        Object.entries(value).every(([name, each]) => {
          const property = Object.hasOwn(properties, name) ? properties[name] : undefined
          if (property !== undefined) return allows(document, property, each)
          return typeof additionalProperties === "boolean"
            ? additionalProperties
            : allows(document, additionalProperties, each)
        })
    }
    case "array":
      return Array.isArray(value) && value.every((each) => allows(document, schema.items ?? {}, each))
    case "string":
      return typeof value === "string" && (schema.pattern === undefined || new RegExp(schema.pattern).test(value))
    case "number":
      return typeof value === "number"
    case "integer":
      return Number.isInteger(value)
    case "boolean":
      return typeof value === "boolean"
    default:
      return true
  }
}

/** Values that the schema allows, as far as it says. */
export const valid = (document: OpenApi, reference: JsonSchema): fc.Arbitrary<unknown> => {
  const schema = resolve(document, reference)
  if (schema.anyOf !== undefined) return fc.oneof(...schema.anyOf.map((each) => valid(document, each)))
  if (schema.enum !== undefined) return fc.constantFrom(...schema.enum)
  switch (schema.type) {
    case "object": {
      const { properties = {}, required = [] } = schema
      const fields = Object.entries(properties).map(([name, each]) => [name, valid(document, each)] as const)
      return fc.record(Object.fromEntries(fields), { requiredKeys: [...required] })
    }
    case "array":
      return fc.array(valid(document, schema.items ?? {}), { maxLength: 4 })
    case "string":
      return schema.pattern === undefined
        ? fc.string({ minLength: schema.minLength ?? 0, maxLength: Math.min(schema.maxLength ?? 40, 40) })
        : fc.stringMatching(new RegExp(schema.pattern))
    case "number":
    case "integer":
      return fc.integer()
    case "boolean":
      return fc.boolean()
    default:
      return fc.jsonValue()
  }
}

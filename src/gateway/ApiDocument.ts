/**
 * What `/openapi.json` says beside what is read from the routes: how one is let in, and what else an answer may be.
 *
 * @since 0.1.0
 */
import * as Predicate from "effect/Predicate"
import * as Record from "effect/Record"

interface Fields {
  readonly [key: string]: unknown
}

const fields = (value: unknown): Fields => Predicate.isRecord(value) ? value : {}

/** Everything needs the token, but for the paths in `open`. @since 0.1.0 */
export const withToken = (open: ReadonlyArray<string>) => (spec: Fields): Fields => ({
  ...spec,
  paths: Record.map(fields(spec["paths"]), (operations, path) =>
    Record.map(fields(operations), (operation) => ({
      ...fields(operation),
      security: open.includes(path) ? [] : [{ bearer: [] }]
    }))),
  components: {
    ...fields(spec["components"]),
    securitySchemes: {
      bearer: { type: "http", scheme: "bearer", description: "The gateway's token. One that has none asks for none." }
    }
  }
})

/** The answer is a text in that form where it is asked for. @since 0.1.0 */
export const orAs = (contentType: string) => (operation: Fields): Fields => {
  const responses = fields(operation["responses"])
  const ok = fields(responses["200"])
  const content = { ...fields(ok["content"]), [contentType]: { schema: { type: "string" } } }
  return { ...operation, responses: { ...responses, 200: { ...ok, content } } }
}

/**
 * The names of things: sessions, runs and questions.
 *
 * An id is a prefix and 80 random bits in Crockford's base 32. It comes from `IdSource`, so a test can make ids repeatable:
 *
 * ```ts
 * Effect.provideService(program, Ids.IdSource, { next: (prefix) => Effect.sync(() => `${prefix}_${++n}`) })
 * ```
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

/** @since 0.1.0 */
export const SessionId = Schema.String.pipe(Schema.pattern(/^ses_\w{1,64}$/), Schema.brand("SessionId"))
/** @since 0.1.0 */
export type SessionId = typeof SessionId.Type

/** @since 0.1.0 */
export const RunId = Schema.String.pipe(Schema.pattern(/^run_\w{1,64}$/), Schema.brand("RunId"))
/** @since 0.1.0 */
export type RunId = typeof RunId.Type

/** @since 0.1.0 */
export const ElicitationId = Schema.String.pipe(Schema.pattern(/^eli_\w{1,64}$/), Schema.brand("ElicitationId"))
/** @since 0.1.0 */
export type ElicitationId = typeof ElicitationId.Type

const alphabet = "0123456789abcdefghjkmnpqrstvwxyz"

/**
 * Where fresh ids come from. The default draws from the platform's cryptographic generator: ids of two processes must not
 * collide, and `Random`'s generator is seeded with 32 bits only.
 *
 * @since 0.1.0
 */
export class IdSource extends Context.Reference<IdSource>()("holdfast/IdSource", {
  defaultValue: () => ({
    next: (prefix: string): Effect.Effect<string> =>
      Effect.sync(() =>
        `${prefix}_${Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => alphabet[byte & 31]).join("")}`
      )
  })
}) {}

const fresh = <A>(prefix: string, schema: Schema.Schema<A, string>) => {
  const decode = Schema.decodeSync(schema)
  return Effect.flatMap(IdSource, (source) => Effect.map(source.next(prefix), (id) => decode(id)))
}

/** @since 0.1.0 */
export const freshSessionId: Effect.Effect<SessionId> = fresh("ses", SessionId)
/** @since 0.1.0 */
export const freshRunId: Effect.Effect<RunId> = fresh("run", RunId)
/** @since 0.1.0 */
export const freshElicitationId: Effect.Effect<ElicitationId> = fresh("eli", ElicitationId)

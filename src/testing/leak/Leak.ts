/**
 * What a leak is, as data.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"

/** @since 0.1.0 */
export const Kind = Schema.Literal("fiber", "timer", "socket", "server", "watcher", "worker", "port", "process")

/** @since 0.1.0 */
export type Kind = typeof Kind.Type

/**
 * Something that was started and is still alive.
 *
 * @since 0.1.0
 */
export const Leak = Schema.Struct({
  kind: Kind,
  /** Which one: a fiber's id, a socket's addresses, a process's id and command. */
  what: Schema.String,
  /** Milliseconds since it was made. */
  age: Schema.Number,
  /** Of a fiber the names of its spans, of another the spans of the fiber that made it; the innermost first. */
  spans: Schema.Array(Schema.String),
  /** Where it was made: the whole stack, the innermost frame first. Empty for a fiber, and where nobody looked. */
  stack: Schema.Array(Schema.String),
  /** What else is known of it, as label and text. */
  details: Schema.Array(Schema.Tuple(Schema.String, Schema.String))
})

/** @since 0.1.0 */
export type Leak = typeof Leak.Type

/** A leak that was found, and the thing itself, by which it is known again. */
export interface Found {
  readonly leak: Leak
  /** The fiber, the record of the handle, or the process's key. */
  readonly identity: object | string
}

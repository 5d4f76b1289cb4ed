/**
 * The demo agent's memory: one small file a session, a line for every change, so that a new process can load what an
 * old one heard and said.
 *
 * As with the agents that people run, an answer is remembered when its turn ends: what a killed turn had already said
 * is not.
 *
 * @since 0.1.0
 */
import type * as acp from "@agentclientprotocol/sdk"
import * as FileSystem from "@effect/platform/FileSystem"
import * as Path from "@effect/platform/Path"
import * as Arr from "effect/Array"
import * as Effect from "effect/Effect"
import { identity } from "effect/Function"
import * as Option from "effect/Option"
import * as Order from "effect/Order"
import * as Predicate from "effect/Predicate"
import * as Schema from "effect/Schema"
import * as Folder from "../../log/Folder.js"

const Block = Schema.declare((value): value is acp.ContentBlock => Predicate.hasProperty(value, "type"))

/** One line of a file; `at` is ISO 8601. @since 0.1.0 */
export const Entry = Schema.Union(
  Schema.Struct({ type: Schema.Literal("user", "agent"), at: Schema.String, content: Schema.Array(Block) }),
  Schema.Struct({
    type: Schema.Literal("settings"),
    at: Schema.String,
    cwd: Schema.String,
    title: Schema.optional(Schema.String),
    modeId: Schema.String,
    paceId: Schema.String
  })
)
/** @since 0.1.0 */
export type Entry = typeof Entry.Type
/** @since 0.1.0 */
export type Message = Extract<Entry, { readonly content: unknown }>
/** @since 0.1.0 */
export type Settings = Extract<Entry, { readonly type: "settings" }>

/** What is known of a session. @since 0.1.0 */
export interface Record {
  readonly sessionId: string
  readonly updatedAt: string
  readonly settings: Settings
  readonly messages: ReadonlyArray<Message>
}

/** @since 0.1.0 */
export const initial = (sessionId: string, settings: Settings): Record => ({
  sessionId,
  updatedAt: settings.at,
  settings,
  messages: []
})

/** @since 0.1.0 */
export const step = (record: Record, entry: Entry): Record => ({
  ...record,
  updatedAt: entry.at,
  ...(entry.type === "settings" ? { settings: entry } : { messages: [...record.messages, entry] })
})

/** @since 0.1.0 */
export interface Store {
  /** Writes the whole of a session, or as many of its last messages as there is room for. */
  readonly write: (record: Record) => Effect.Effect<void>
  readonly append: (sessionId: string, entry: Entry) => Effect.Effect<void>
  readonly load: (sessionId: string) => Effect.Effect<Option.Option<Record>>
  /** The most recent first. */
  readonly list: Effect.Effect<ReadonlyArray<Record>>
  readonly remove: (sessionId: string) => Effect.Effect<void>
}

const maxSessions = 100
const maxCharacters = 2_000_000

const decode = Schema.decodeOption(Schema.parseJson(Entry))
const encode = (entry: Entry): string => `${JSON.stringify(entry)}\n`

const encodeAll = ({ messages, settings }: Record): string => {
  let room = maxCharacters
  const fitting = Arr.takeWhile(Arr.reverse(messages.map(encode)), (line) => (room -= line.length) >= 0)
  return encode(settings) + Arr.reverse(fitting).join("")
}

/** A line that a killed process left half-written is none. */
const decodeAll = (sessionId: string, lines: string): Option.Option<Record> => {
  const entries = Arr.filterMap(lines.split("\n"), (line) => decode(line))
  return Option.map(
    Arr.findFirst(entries, (entry) => entry.type === "settings"),
    (settings) => entries.reduce(step, initial(sessionId, settings))
  )
}

/** An agent that cannot write its memory can still talk: it says so on stderr, and forgets. */
const forgetful = <A, B>(effect: Effect.Effect<A, { readonly message: string }>, fallback: B): Effect.Effect<A | B> =>
  Effect.catchAll(effect, ({ message }) => Effect.as(Effect.logWarning(`the memory fails: ${message}`), fallback))

/** @since 0.1.0 */
export const make = Effect.fnUntraced(function*(folder: string) {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const sizes = new Map<string, number>()

  const fileOf = (sessionId: string) => path.join(folder, `${sessionId}.jsonl`)

  const read = (sessionId: string) =>
    Effect.map(
      Effect.option(fs.readFileString(fileOf(sessionId))),
      Option.flatMap((lines) => decodeAll(sessionId, lines))
    )

  // the id comes from the client: it must not name a file elsewhere
  const load = (sessionId: string) => /^\w{1,80}$/.test(sessionId) ? read(sessionId) : Effect.succeedNone

  const write = (record: Record) => {
    const lines = encodeAll(record)
    sizes.set(record.sessionId, lines.length)
    return forgetful(fs.writeFileString(fileOf(record.sessionId), lines), undefined)
  }

  const append = (sessionId: string, entry: Entry) => {
    const line = encode(entry)
    const size = (sizes.get(sessionId) ?? 0) + line.length
    sizes.set(sessionId, size)
    const appended = forgetful(fs.writeFileString(fileOf(sessionId), line, { flag: "a" }), undefined)
    return size <= 2 * maxCharacters
      ? appended
      : Effect.zipRight(
        appended,
        Effect.flatMap(load(sessionId), Option.match({ onNone: () => Effect.void, onSome: write }))
      )
  }

  const store: Store = {
    write,
    append,
    load,
    list: forgetful(fs.readDirectory(folder), Arr.empty<string>()).pipe(
      Effect.flatMap(Effect.forEach((name) => read(path.basename(name, ".jsonl")))),
      Effect.map((found) =>
        Arr.sort(
          Arr.filterMap(found, identity),
          Order.reverse(Order.mapInput(Order.string, (it: Record) => it.updatedAt))
        )
      )
    ),
    remove: (sessionId) =>
      Effect.flatMap(
        load(sessionId),
        (found) =>
          Option.isNone(found) ? Effect.void : forgetful(fs.remove(fileOf(sessionId), { force: true }), undefined)
      )
  }

  // told by their times, not read: a start does not wait for a hundred files
  const prune = Effect.gen(function*() {
    const names = yield* fs.readDirectory(folder)
    if (names.length <= maxSessions) return
    const files = yield* Effect.forEach(names, (name) =>
      Effect.map(fs.stat(path.join(folder, name)), ({ mtime }) => ({
        file: path.join(folder, name),
        changed: Option.getOrElse(mtime, () => new Date(0))
      })))
    const oldest = Arr.sort(files, Order.mapInput(Order.Date, (it: { readonly changed: Date }) => it.changed))
    yield* Effect.forEach(Arr.dropRight(oldest, maxSessions / 2), ({ file }) => fs.remove(file, { force: true }), {
      discard: true
    })
  })

  yield* forgetful(
    Effect.zipRight(
      Effect.try({ try: () => Folder.make(folder, 0o700), catch: (error) => ({ message: String(error) }) }),
      prune
    ),
    undefined
  )
  return store
})

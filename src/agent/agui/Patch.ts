/**
 * JSON Patch, as the state of an AG-UI agent is changed by it. Pure.
 *
 * @see https://www.rfc-editor.org/rfc/rfc6902
 * @since 0.1.0
 */
import type { JsonPatchOperation } from "@ag-ui/core"
import * as Either from "effect/Either"
import * as Equal from "effect/Equal"
import * as Predicate from "effect/Predicate"

type Patched = Either.Either<unknown, string>

const pathOf = (pointer: string): ReadonlyArray<string> =>
  pointer.split("/").slice(1).map((part) => part.replaceAll("~1", "/").replaceAll("~0", "~"))

const nothing = (path: ReadonlyArray<string>) => Either.left(`there is nothing at /${path.join("/")}`)

const indexIn = (list: ReadonlyArray<unknown>, key: string, last: number): number | undefined =>
  /^(0|[1-9]\d*)$/.test(key) && Number(key) <= last && Number(key) < list.length + 1 ? Number(key) : undefined

const get = (document: unknown, path: ReadonlyArray<string>): Patched => {
  let at = document
  for (const key of path) {
    if (Array.isArray(at)) {
      const index = indexIn(at, key, at.length - 1)
      if (index === undefined) return nothing(path)
      at = at[index]
    } else if (Predicate.isRecord(at) && Object.hasOwn(at, key)) at = at[key]
    else return nothing(path)
  }
  return Either.right(at)
}

/** Copies what it changes, and nothing else. `undefined` removes. */
const set = (document: unknown, path: ReadonlyArray<string>, value: unknown, inserts: boolean): Patched => {
  const [key, ...rest] = path
  if (key === undefined) return Either.right(value)
  if (Array.isArray(document)) {
    const end = inserts && rest.length === 0 ? document.length : document.length - 1
    const index = key === "-" && inserts && rest.length === 0 ? document.length : indexIn(document, key, end)
    if (index === undefined) return nothing(path)
    if (rest.length > 0) {
      return Either.map(set(document[index], rest, value, inserts), (changed) => document.with(index, changed))
    }
    return Either.right(
      value === undefined ? document.toSpliced(index, 1) : document.toSpliced(index, inserts ? 0 : 1, value)
    )
  }
  if (!Predicate.isRecord(document) || key === "__proto__") return nothing(path)
  if (rest.length > 0) {
    if (!Object.hasOwn(document, key)) return nothing(path)
    return Either.map(set(document[key], rest, value, inserts), (changed) => ({ ...document, [key]: changed }))
  }
  if (value !== undefined) {
    return inserts || Object.hasOwn(document, key) ? Either.right({ ...document, [key]: value }) : nothing(path)
  }
  if (!Object.hasOwn(document, key)) return nothing(path)
  const { [key]: _, ...left } = document
  return Either.right(left)
}

const isSame = (a: unknown, b: unknown): boolean => {
  if (Array.isArray(a) && Array.isArray(b)) {
    return a.length === b.length && a.every((item, index) => isSame(item, b[index]))
  }
  if (Predicate.isRecord(a) && Predicate.isRecord(b) && !Array.isArray(a) && !Array.isArray(b)) {
    const keys = Object.keys(a)
    return keys.length === Object.keys(b).length &&
      keys.every((key) => Object.hasOwn(b, key) && isSame(a[key], b[key]))
  }
  return Equal.equals(a, b)
}

const one = (document: unknown, operation: JsonPatchOperation): Patched => {
  const path = pathOf(operation.path)
  switch (operation.op) {
    case "add":
      return set(document, path, operation.value, true)
    case "replace":
      return Either.flatMap(get(document, path), () => set(document, path, operation.value, false))
    case "remove":
      return set(document, path, undefined, false)
    case "copy":
      return Either.flatMap(get(document, pathOf(operation.from)), (value) => set(document, path, value, true))
    case "move": {
      const from = pathOf(operation.from)
      return Either.flatMap(
        get(document, from),
        (value) => Either.flatMap(set(document, from, undefined, false), (without) => set(without, path, value, true))
      )
    }
    case "test":
      return Either.flatMap(
        get(document, path),
        (value) =>
          isSame(value, operation.value)
            ? Either.right(document)
            : Either.left(`${operation.path} is not what was tested`)
      )
  }
}

/** The document after all operations, or why one of them does not fit it. @since 0.1.0 */
export const apply = (document: unknown, operations: ReadonlyArray<JsonPatchOperation>): Patched =>
  operations.reduce<Patched>(
    (before, operation) => Either.flatMap(before, (document) => one(document, operation)),
    Either.right(document)
  )

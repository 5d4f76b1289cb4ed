/**
 * The token of a host, kept in a file: the nonce that it was got for is good once, and the next process of ours has no other.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Predicate from "effect/Predicate"
import * as fs from "node:fs"
import * as path from "node:path"
import * as Folder from "../../log/Folder.js"
import { HostError } from "./HostError.js"

/** @since 0.1.0 */
export interface KeptToken {
  /** `undefined` where none is kept, or none that can be read. Fails where there is something else than a file: none can be kept either. */
  readonly read: Effect.Effect<string | undefined, HostError>
  /** A token that cannot be kept serves this process all the same. */
  readonly write: (token: string) => Effect.Effect<void>
  /** What to do about a nonce that the host does not take; `tried`: the token that was kept, neither. */
  readonly advice: (tried: boolean) => string
}

const newNonce = "start the host with a new nonce and configure that one"

/** @since 0.1.0 */
export const none: KeptToken = {
  read: Effect.succeed(undefined),
  write: () => Effect.void,
  advice: () =>
    `A nonce is good for one handshake in the host's life: ${newNonce}, configure its token, or a tokenFile, which keeps the token for the next time`
}

/** What a request can carry: in a file that was written by half, or is none of ours, may be anything. @since 0.1.0 */
export const pattern = /^[\x21-\x7e]+$/

const isMissing = (error: unknown) => Predicate.hasProperty(error, "code") && error.code === "ENOENT"

const kindOf = (stat: fs.Stats) => stat.isDirectory() ? "a folder" : stat.isFIFO() ? "a pipe" : "no file"

/** A file of its own, for its owner only; its folder is made. @since 0.1.0 */
export const inFile = (file: string): KeptToken => {
  /** Why there is none, when it was last read. */
  let why = "has no token of it"
  /** Said once that others may read it. */
  let warned = false

  const unfit = (kind: string) =>
    new HostError({
      reason: "Unauthorized",
      method: "tokenFile",
      message:
        `the token of the agent host cannot be kept in ${file}, which is ${kind}: name a file as tokenFile; it is made when it is missing`
    })

  /** One whose rights were widened after it was written, or that somebody has put there. */
  const warn = (mode: number) =>
    Effect.suspend(() => {
      // Windows has no such rights
      if (warned || (mode & 0o077) === 0 || process.platform === "win32") return Effect.void
      warned = true
      return Effect.logWarning(
        `others can use the token of the agent host in ${file} (mode ${(mode & 0o777).toString(8)}): chmod 600 ${file}`
      )
    })

  const read = Effect.suspend(() => {
    why = "has no token of it"
    try {
      // what is no file is not opened: a pipe would wait for its writer, and everything with it
      const stat = fs.statSync(file)
      if (!stat.isFile()) return unfit(kindOf(stat))
      const token = fs.readFileSync(file, "utf8").trim()
      if (pattern.test(token)) return Effect.as(warn(stat.mode), token)
      if (token !== "") why = "holds what is no token"
    } catch (error) {
      if (!isMissing(error)) why = `cannot be read (${Predicate.isError(error) ? error.message : String(error)})`
    }
    return Effect.succeed(undefined)
  })

  return {
    read,
    write: (token) =>
      Effect.try({
        try: () => {
          Folder.make(path.dirname(file), 0o700)
          // beside it, and then in its place: nobody reads half a token, and none that others may read gets its rights
          const beside = `${file}.${process.pid}`
          try {
            fs.rmSync(beside, { force: true })
            fs.writeFileSync(beside, `${token}\n`, { mode: 0o600 })
            fs.renameSync(beside, file)
          } catch (error) {
            fs.rmSync(beside, { force: true })
            throw error
          }
        },
        catch: String
      }).pipe(
        Effect.catchAll((fault) =>
          Effect.logWarning(
            `the agent host's token cannot be kept in ${file}: the next start needs a new nonce (${fault})`
          )
        )
      ),
    advice: (tried) =>
      tried
        ? `Nor does it take the token in ${file}, so it was started anew since: ${newNonce}`
        : `A nonce is good for one handshake in the host's life, and ${file} ${why}: ${newNonce}, or put its token there`
  }
}

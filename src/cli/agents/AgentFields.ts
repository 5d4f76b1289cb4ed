/**
 * What the configuration of an agent is made of, whatever its kind.
 *
 * @since 0.1.0
 */
import type * as FileSystem from "@effect/platform/FileSystem"
import type * as Path from "@effect/platform/Path"
import * as Effect from "effect/Effect"
import * as Record from "effect/Record"
import type * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import * as Secret from "../Secret.js"

/** @since 0.1.0 */
export const OneSecret = Schema.optionalWith(Secret.Secret, { exact: true })
/** Variables or headers, by their names. @since 0.1.0 */
export const Secrets = Schema.optionalWith(Schema.Record({ key: Schema.String, value: Secret.Secret }), { exact: true })

/** Fails with what is wrong. @since 0.1.0 */
export type Read<A> = Effect.Effect<A, string, FileSystem.FileSystem | Path.Path>

/** Reads secrets; their paths are relative to the folder. What cannot be read is named by `where`. @since 0.1.0 */
export const reader = (folder: string) => {
  const one = (where: string, secret: Secret.Secret) =>
    Effect.mapError(Secret.reveal(secret, folder), (fault) => `${where}: ${fault}`)
  return {
    one: (where: string, secret: Secret.Secret | undefined): Read<Redacted.Redacted | undefined> =>
      secret === undefined ? Effect.succeed(undefined) : one(where, secret),
    all: (
      where: string,
      secrets: Readonly<Record<string, Secret.Secret>> = {}
    ): Read<Record<string, Redacted.Redacted>> =>
      Effect.all(Record.map(secrets, (secret, name) => one(`${where}.${name}`, secret)))
  }
}

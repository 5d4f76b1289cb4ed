/**
 * Secrets in a configuration: by reference, and `Redacted` from the moment they are read.
 *
 * @since 0.1.0
 */
import * as FileSystem from "@effect/platform/FileSystem"
import * as Path from "@effect/platform/Path"
import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"

/** A text, or where it is to be found. @since 0.1.0 */
export const Secret = Schema.Union(
  Schema.String,
  Schema.Struct({ fromEnv: Schema.NonEmptyString }),
  Schema.Struct({ fromFile: Schema.NonEmptyString })
).annotations({
  message: () => ({ message: "must be a text, { fromEnv: NAME } or { fromFile: PATH }", override: true })
})
/** @since 0.1.0 */
export type Secret = typeof Secret.Type

/**
 * What it refers to; paths are relative to `folder`. It fails with what is wrong. The newline at a file's end is not part of it.
 *
 * @since 0.1.0
 */
export const reveal = (
  secret: Secret,
  folder: string
): Effect.Effect<Redacted.Redacted, string, FileSystem.FileSystem | Path.Path> => {
  if (typeof secret === "string") return Effect.succeed(Redacted.make(secret))
  if ("fromEnv" in secret) {
    return Config.redacted(Config.nonEmptyString(secret.fromEnv)).pipe(
      Effect.mapError(() => `the variable ${secret.fromEnv} is not set`)
    )
  }
  return Effect.gen(function*() {
    const fs = yield* FileSystem.FileSystem
    const path = yield* Path.Path
    const file = path.resolve(folder, secret.fromFile)
    const text = yield* Effect.mapError(fs.readFileString(file), () => `the file ${file} cannot be read`)
    return Redacted.make(text.replace(/\r?\n$/, ""))
  })
}

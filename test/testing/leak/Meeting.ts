/** How two files of one run wait for each other: by files in a folder that the run was given. */
import * as Effect from "effect/Effect"
import * as Fs from "node:fs"
import * as Path from "node:path"

const place = (word: string) => Path.join(process.env["LEAK_CHECK_MEETING"] ?? ".", word)

export const tell = (word: string) => Effect.sync(() => Fs.writeFileSync(place(word), ""))

export const hear = (word: string) =>
  Effect.repeat(
    Effect.delay(Effect.sync(() => Fs.existsSync(place(word))), "5 millis"),
    { until: (exists) => exists }
  )

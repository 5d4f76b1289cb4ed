/**
 * The flags that several commands share.
 *
 * @since 0.1.0
 */
import * as Args from "@effect/cli/Args"
import * as HelpDoc from "@effect/cli/HelpDoc"
import * as Options from "@effect/cli/Options"
import * as ValidationError from "@effect/cli/ValidationError"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { ElicitationId, RunId, SessionId } from "../domain/Ids.js"
import { formats } from "./Logging.js"

/** @since 0.1.0 */
export const config = Options.text("config").pipe(
  Options.withDescription("The configuration file; holdfast.json or holdfast.yaml of this folder otherwise"),
  Options.withPseudoName("file"),
  Options.optional
)

/** @since 0.1.0 */
export const agent = Options.text("agent").pipe(
  Options.withDescription("The agent's name; otherwise the first configured one, or the demo"),
  Options.optional
)

/** @since 0.1.0 */
export const data = Options.text("data").pipe(
  Options.withDescription("The folder of the database"),
  Options.withPseudoName("folder"),
  Options.optional
)

/** @since 0.1.0 */
export const token = Options.text("token").pipe(
  Options.withDescription("The token of the gateway; HOLDFAST_TOKEN keeps it out of the process list"),
  Options.optional
)

/** As the setting `log.format`. @since 0.1.0 */
export const logFormat = Options.choice("log-format", formats).pipe(
  Options.withDescription("The form of the log on stderr; otherwise pretty for a terminal and logfmt for others"),
  Options.optional
)

/** @since 0.1.0 */
export const json = Options.boolean("json").pipe(Options.withDescription("Print JSON and nothing else"))

/** @since 0.1.0 */
export const gateway = {
  config,
  url: Options.text("url").pipe(
    Options.withDescription("Where the gateway listens; HOLDFAST_URL, or http://127.0.0.1:4455, otherwise"),
    Options.optional
  ),
  token
}

/** What somebody typed where `name` wants the id of something. */
const decodeId = <A>(name: string, schema: Schema.Schema<A, string>, prefix: string) => (text: string) =>
  Effect.mapError(
    Schema.decode(schema)(text),
    () => HelpDoc.p(`${name} must be an id like ${prefix}_…, not ${JSON.stringify(text)}`)
  )

const id = <A>(name: string, schema: Schema.Schema<A, string>, prefix: string) =>
  Args.text({ name }).pipe(Args.mapEffect(decodeId(`<${name}>`, schema, prefix)))

/** @since 0.1.0 */
export const run = Options.text("run").pipe(
  Options.withDescription("Only this run, be it open, nested, in the background or queued"),
  Options.mapEffect((text) => Effect.mapError(decodeId("--run", RunId, "run")(text), ValidationError.invalidValue)),
  Options.optional
)

/** @since 0.1.0 */
export const session = id("session", SessionId, "ses")

/** @since 0.1.0 */
export const elicitation = id("elicitation", ElicitationId, "eli")

/** @since 0.1.0 */
export const yes = Options.boolean("yes").pipe(
  Options.withDescription("Accept what the agent asks, as far as that needs no person")
)

/**
 * An agent behind an AG-UI endpoint, as the configuration says it.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { AguiAgentOptions } from "../../agent/agui/AguiOptions.js"
import * as AgentFields from "./AgentFields.js"

/** @since 0.1.0 */
export const Agui = Schema.Struct({
  ...AguiAgentOptions.fields,
  kind: Schema.Literal("agui"),
  headers: AgentFields.Secrets,
  token: AgentFields.OneSecret
})
/** @since 0.1.0 */
export type Agui = typeof Agui.Type

/** The options of the driver, with every secret read; it fails with what is wrong. @since 0.1.0 */
export const resolve = Effect.fnUntraced(function*({ kind, ...agent }: Agui, folder: string) {
  const { all, one } = AgentFields.reader(folder)
  const options: AguiAgentOptions = {
    ...agent,
    headers: yield* all("headers", agent.headers),
    token: yield* one("token", agent.token)
  }
  return { kind, options }
})

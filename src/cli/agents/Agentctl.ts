/**
 * An agent behind an agentctl host, as the configuration says it.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Record from "effect/Record"
import * as Schema from "effect/Schema"
import { AgentctlOptions } from "../../agent/agentctl/AgentctlAgent.js"
import * as Secret from "../Secret.js"

const secret = Schema.optionalWith(Secret.Secret, { exact: true })

/** @since 0.1.0 */
export const Agentctl = Schema.Struct({
  ...AgentctlOptions.fields,
  kind: Schema.Literal("agentctl"),
  nonce: secret,
  token: secret,
  env: Schema.optionalWith(Schema.Record({ key: Schema.String, value: Secret.Secret }), { exact: true })
})
/** @since 0.1.0 */
export type Agentctl = typeof Agentctl.Type

/** The options of the driver, with every secret read; it fails with what is wrong. @since 0.1.0 */
export const resolve = Effect.fnUntraced(function*({ kind, ...agent }: Agentctl, folder: string) {
  const read = (where: string, value: Secret.Secret | undefined) =>
    value === undefined
      ? Effect.succeed(undefined)
      : Effect.mapError(Secret.reveal(value, folder), (fault) => `${where}: ${fault}`)
  const options: AgentctlOptions = {
    ...agent,
    nonce: yield* read("nonce", agent.nonce),
    token: yield* read("token", agent.token),
    env: yield* Effect.all(
      Record.map(
        agent.env ?? {},
        (value, name) => Effect.mapError(Secret.reveal(value, folder), (fault) => `env.${name}: ${fault}`)
      )
    )
  }
  return { kind, options }
})

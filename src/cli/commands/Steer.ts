/**
 * `holdfast cancel`, `holdfast restart` and `holdfast close`: what one does to a session of a running gateway.
 *
 * @since 0.1.0
 */
import * as Command from "@effect/cli/Command"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { SessionId } from "../../domain/Ids.js"
import type { CliError } from "../CliError.js"
import * as Flags from "../Flags.js"
import * as GatewayClient from "../GatewayClient.js"

const steering = <Name extends string>(
  name: Name,
  description: string,
  act: (gateway: GatewayClient.GatewayClient, session: SessionId) => Effect.Effect<unknown, CliError>
) =>
  Command.make(
    name,
    { ...Flags.gateway, session: Flags.session },
    (flags) => Effect.flatMap(GatewayClient.connect(flags), (gateway) => act(gateway, flags.session))
  ).pipe(Command.withDescription(description))

/** @since 0.1.0 */
export const cancel = Command.make(
  "cancel",
  { ...Flags.gateway, run: Flags.run, session: Flags.session },
  (flags) =>
    Effect.flatMap(
      GatewayClient.connect(flags),
      (gateway) => gateway.cancel(flags.session, Option.getOrUndefined(flags.run))
    )
).pipe(Command.withDescription("Cancel a session's open run and what is queued, or one run"))

/** @since 0.1.0 */
export const restart = steering(
  "restart",
  "End a session's agent and start it again",
  (gateway, id) => gateway.restart(id)
)

/** @since 0.1.0 */
export const close = steering("close", "Close a session and everything it holds", (gateway, id) => gateway.close(id))

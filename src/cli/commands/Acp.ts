/**
 * `holdfast acp`: Holdfast as an agent of an editor that speaks the Agent Client Protocol over stdio.
 *
 * The sessions live in a running gateway, if there is one: they go on when the editor has left. Otherwise, or with `--data`, they live in
 * this process: their log stays when it ends, and their runs end with it.
 *
 * @since 0.1.0
 */
import * as Command from "@effect/cli/Command"
import * as Path from "@effect/platform/Path"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as AcpServer from "../../gateway/acp/AcpServer.js"
import * as Hosting from "../../gateway/acp/Hosting.js"
import { Sessions } from "../../session/Sessions.js"
import * as AgentSet from "../AgentSet.js"
import { unusable } from "../CliError.js"
import * as Config from "../Config.js"
import * as Flags from "../Flags.js"
import * as GatewayClient from "../GatewayClient.js"
import * as GatewayHosting from "../GatewayHosting.js"
import * as Host from "../Host.js"
import { Program } from "../Program.js"
import * as Signals from "../Signals.js"
import * as Stdio from "../Stdio.js"

/** How long everything may take to end. */
const grace = "10 seconds"

/** The one that is meant, of those that there are. */
const choose = (settings: Config.Settings, offers: ReadonlyArray<{ readonly name: string }>) => {
  const names = offers.map(({ name }) => name)
  const meant = settings.agent ?? names[0] ?? ""
  return names.includes(meant)
    ? Effect.succeed(meant)
    : unusable(`there is no agent "${meant}"; there are: ${names.join(", ") || "none"}`)
}

const serve = Effect.fnUntraced(function*(agent: string, hosting: Hosting.Hosting) {
  const { version } = yield* Program
  const transport = yield* Stdio.make
  yield* AcpServer.serve({ agent, version, hosting, transport })
}, Effect.scoped)

const inGateway = Effect.fnUntraced(function*(loaded: Config.Loaded, gateway: GatewayClient.GatewayClient) {
  const agent = yield* choose(loaded.settings, yield* gateway.agents)
  yield* serve(agent, GatewayHosting.make(gateway))
})

/**
 * Without a folder that was named: one for each agent, below the one that the editor has started this process in. A process holds its
 * folder alone, and an editor starts a process for each of its projects and agents.
 */
const here = Effect.fnUntraced(function*(loaded: Config.Loaded, named: Option.Option<string>) {
  const path = yield* Path.Path
  const agent = yield* choose(loaded.settings, yield* AgentSet.offers(loaded))
  const folder = Option.getOrElse(
    named,
    () => path.resolve(loaded.settings.data ?? ".holdfast", "acp", encodeURIComponent(agent))
  )
  yield* Effect.logInfo(`the sessions live in this process, their log in ${folder}`)
  yield* Effect.flatMap(Sessions, (sessions) => serve(agent, Hosting.ofSessions(sessions))).pipe(
    Effect.provide(Host.layer(loaded, { data: Option.some(folder) })),
    Effect.catchIf(
      ({ reported }) => reported?._tag === "DataFolderHeld",
      ({ message }) => unusable(`${message}; for several editors at once start a gateway with "holdfast serve"`)
    )
  )
})

/** @since 0.1.0 */
export const command = Command.make(
  "acp",
  { ...Flags.gateway, agent: Flags.agent, data: Flags.data },
  ({ agent, config, data, token, url }) =>
    Effect.gen(function*() {
      yield* Signals.endsWell
      if (Option.isSome(data) && Option.isSome(url)) {
        return yield* unusable("--data hosts the sessions in this process and --url in a gateway: give one of them")
      }
      const loaded = yield* Config.load(config, { agent, token, url })
      if (Option.isSome(data)) return yield* here(loaded, data)
      const gateway = yield* GatewayClient.ofConfig(loaded)
      // one that was named is meant, be it there or not
      const inOne = loaded.settings.url !== undefined || (yield* gateway.answers)
      yield* inOne ? inGateway(loaded, gateway) : here(loaded, data)
    }).pipe(Effect.provide(Signals.layer(grace)))
).pipe(
  Command.withDescription(
    "Be an agent of an editor, over stdio: attaches to durable sessions of a gateway, or hosts them"
  )
)

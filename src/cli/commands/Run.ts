/**
 * `holdfast run`: one session, one run, in this terminal. No gateway is needed.
 *
 * @since 0.1.0
 */
import * as Args from "@effect/cli/Args"
import * as Command from "@effect/cli/Command"
import * as HelpDoc from "@effect/cli/HelpDoc"
import * as Options from "@effect/cli/Options"
import * as NodeStream from "@effect/platform-node/NodeStream"
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as Content from "../../domain/Content.js"
import type { SessionId } from "../../domain/Ids.js"
import { StoredEvent } from "../../domain/StoredEvent.js"
import { Sessions } from "../../session/Sessions.js"
import * as AgentSet from "../AgentSet.js"
import * as Ansi from "../Ansi.js"
import { failed, unusable } from "../CliError.js"
import * as Config from "../Config.js"
import type { Conversation } from "../Conversation.js"
import * as Flags from "../Flags.js"
import * as Follow from "../Follow.js"
import * as Host from "../Host.js"
import * as Logging from "../Logging.js"
import * as Outcome from "../Outcome.js"
import { Screen } from "../Screen.js"
import * as Signals from "../Signals.js"
import * as Telemetry from "../Telemetry.js"

/** How long an agent may take to end a run that was cancelled, before it is ended itself. */
const cancelGrace = "5 seconds"
/** How long everything may take to end. */
const grace = "15 seconds"

const decode = Schema.decodeSync(Schema.parseJson(StoredEvent))

const conversation = (sessions: Sessions["Type"], session: SessionId): Conversation => ({
  events: (after) =>
    sessions.events({ session, after }).pipe(
      Stream.mapError((error) => failed(error.message)),
      // what this process has stored is as it should be
      Stream.mapChunks(Chunk.map(({ json }) => ({ stored: decode(json), json })))
    ),
  pending: Effect.mapError(sessions.elicitations(session), (error) => failed(error.message)),
  answer: (question, answer) =>
    Effect.catchTags(sessions.answer(session, question, answer), {
      SessionNotFound: (error) => failed(error.message),
      EventLogClosed: (error) => failed(error.message),
      EventLogUnavailable: (error) => failed(error.message)
    })
})

interface Request {
  readonly agent: string
  readonly cwd: string | undefined
  readonly prompt: string
  readonly yes: boolean
  readonly json: boolean
}

const converse = Effect.fnUntraced(function*({ agent, cwd, json, prompt, yes }: Request) {
  const sessions = yield* Sessions
  const screen = yield* Screen
  const quiet = json || !screen.live

  const opening = sessions.create({ agent, cwd }).pipe(
    Effect.mapError((error) =>
      error._tag === "AgentNotFound" || error._tag === "CwdInvalid" ? unusable(error.message) : failed(error.message)
    )
  )
  const { id } = quiet
    ? yield* opening
    : yield* Effect.zipRight(screen.write(Ansi.palette(screen.color).dim(`starting ${agent} …`)), opening).pipe(
      Effect.ensuring(Effect.ignore(screen.write(Ansi.eraseLine)))
    )
  const { runId, seq } = yield* sessions.prompt(id, { content: [Content.text(prompt)] }).pipe(
    Effect.mapError((error) => error._tag === "PromptInvalid" ? unusable(error.message) : failed(error.message))
  )
  yield* sessions.attend(id)
  const follow = yield* Follow.make(conversation(sessions, id), {
    after: json ? 0 : seq - 1,
    json,
    prompts: false,
    consent: yes,
    unasked: "decline"
  })
  const toTheEnd = follow.until((stored) => stored.event.type === "RunEnded" && stored.runId === runId)
  const cancel = follow.standBack.pipe(
    Effect.zipRight(screen.note("cancelling; Ctrl-C again quits at once")),
    Effect.zipRight(sessions.cancel(id)),
    Effect.zipRight(toTheEnd),
    Effect.interruptible,
    Effect.timeout(grace),
    Effect.ignore
  )
  const end = yield* Effect.onInterrupt(toTheEnd, () => cancel)
  yield* Option.match(end, {
    onNone: () => failed("the log of the session ended before its run did"),
    onSome: (end) => Outcome.check(end, !quiet)
  })
})

const readPrompt = (prompt: string) =>
  prompt === "-" ? NodeStream.stdin.pipe(Stream.decodeText(), Stream.mkString) : Effect.succeed(prompt)

/** `@effect/cli` takes a flag that it does not know for an argument: `--yse` would be sent to the agent. */
const prompt = Args.text({ name: "prompt" }).pipe(
  Args.withDescription("What to say to the agent; - reads it from stdin"),
  Args.mapEffect((text) =>
    /^--?[A-Za-z][\w-]*(=.*)?$/.test(text)
      ? Effect.fail(HelpDoc.p(`Received unknown flag: '${text}' (if it is the prompt, give it through stdin with -)`))
      : Effect.succeed(text)
  )
)

/** @since 0.1.0 */
export const command = Command.make("run", {
  config: Flags.config,
  agent: Flags.agent,
  cwd: Options.text("cwd").pipe(
    Options.withDescription("The folder that the agent works in; otherwise this one"),
    Options.withPseudoName("folder"),
    Options.optional
  ),
  data: Flags.data,
  yes: Flags.yes,
  json: Flags.json,
  logFormat: Flags.logFormat,
  prompt
}, ({ agent, config, cwd, data, json, logFormat, prompt, yes }) =>
  Effect.gen(function*() {
    // the folder of the configuration is the gateway's, which may be running
    const loaded = yield* Config.load(config, { agent, log: Option.map(logFormat, (format) => ({ format })) })
    yield* converse({
      agent: AgentSet.defaultAgent(loaded),
      cwd: Option.getOrUndefined(cwd),
      prompt: yield* readPrompt(prompt),
      yes,
      json
    }).pipe(
      Effect.scoped,
      Effect.provide(Host.layer(loaded, { data, cancelGrace })),
      Effect.provide(Telemetry.layer(loaded)),
      Effect.provide(Logging.configured(loaded.settings.log))
    )
  }).pipe(Effect.provide(Signals.layer(grace)))).pipe(
    Command.withDescription("Run one prompt in this terminal: streams, shows tool calls, asks; needs no gateway")
  )

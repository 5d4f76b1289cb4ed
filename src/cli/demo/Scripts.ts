/**
 * The scripts of the demo agent: each shows one thing that an agent can do, exactly and at once.
 *
 * @since 0.1.0
 */
import * as acp from "@agentclientprotocol/sdk"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import { IdSource } from "../../domain/Ids.js"
import { misbehaviours } from "./Misbehaviours.js"
import { freshCallId, guarded, permission, plan, type Script, shows, speak, think, tool, type Turn } from "./Turn.js"

const stream: Script = {
  name: "stream",
  hint: "how many",
  description: "Streams numbered chunks of text as fast as they are read",
  run: (turn) => {
    const count = /^\d{1,9}$/.test(turn.argument) ? Number(turn.argument) : 100
    return count === 0 ? Effect.void : turn.sayAll(Stream.map(Stream.range(1, count), (index) => `chunk ${index} `))
  }
}

const thinking: Script = {
  name: "think",
  description: "Thinks aloud, then answers",
  run: (turn) =>
    think(turn, "What is the answer? Six by nine. No: it must be even, and less than fifty. ").pipe(
      Effect.zipRight(speak(turn, "I have thought about it: 42."))
    )
}

const steps = ["Understand the task", "Do the work", "Check the result"]

const planning: Script = {
  name: "plan",
  description: "Makes a plan and follows it",
  run: (turn) =>
    Effect.forEach(
      [0, 1, 2, 3],
      (done) => Effect.zipRight(plan(turn, steps, done), turn.pause("200 millis")),
      { discard: true }
    ).pipe(Effect.zipRight(turn.say("Everything went according to plan.")))
}

const note = "Holdfast's demo agent wrote this line.\n"

/** Shows what `/tools` would do with a client that offers nothing, and does it with one that does. */
const tools: Script = {
  name: "tools",
  description: "Calls tools of several kinds: a search, an edit with a diff, a read, a command, and one that fails",
  run: Effect.fnUntraced(function*(turn) {
    const { client, sessionId } = turn
    const { fs, terminal } = client.capabilities
    const path = `${turn.cwd}/holdfast-demo.txt`

    yield* tool(
      turn,
      { title: `Search for "demo"`, name: "search", kind: "search", rawInput: { query: "demo" } },
      () => Effect.succeed({ content: [shows("1 match")], locations: [{ path, line: 1 }], rawOutput: { matches: 1 } })
    )
    yield* tool(
      turn,
      { title: "Write holdfast-demo.txt", name: "edit", kind: "edit", locations: [{ path }] },
      () =>
        Effect.as(
          fs?.writeTextFile === true
            ? client.request(acp.methods.client.fs.writeTextFile, { sessionId, path, content: note })
            : Effect.void,
          { content: [{ type: "diff", path, oldText: null, newText: note }] }
        )
    )
    yield* tool(
      turn,
      { title: "Read holdfast-demo.txt", name: "read", kind: "read", locations: [{ path }] },
      () =>
        Effect.map(
          fs?.readTextFile === true
            ? client.request(acp.methods.client.fs.readTextFile, { sessionId, path })
            : Effect.succeed({ content: note }),
          ({ content }) => ({ content: [shows(content)] })
        )
    )
    yield* tool(
      turn,
      { title: "echo hello", name: "shell", kind: "execute", rawInput: { command: "echo hello" } },
      (id) =>
        terminal === true
          ? runCommand(turn, id)
          : Effect.succeed({ content: [shows("hello\n")], rawOutput: { exitCode: 0 } })
    )
    yield* tool(
      turn,
      { title: "Fetch the moon", name: "fetch", kind: "fetch" },
      () => Effect.fail(acp.RequestError.internalError(undefined, "the moon is out of reach"))
    )
    yield* turn.say("Five tools were called; the last one was meant to fail.")
  })
}

/** `echo hello` in a terminal of the client, shown while it runs. */
const runCommand = Effect.fnUntraced(function*(turn: Turn, toolCallId: string) {
  const { client, cwd, sessionId } = turn
  const { create, output, release, waitForExit } = acp.methods.client.terminal
  const { terminalId } = yield* client.request(create, { sessionId, command: "echo", args: ["hello"], cwd })
  const content: Array<acp.ToolCallContent> = [{ type: "terminal", terminalId }]
  return yield* client.update({ sessionUpdate: "tool_call_update", toolCallId, content }).pipe(
    Effect.zipRight(client.request(waitForExit, { sessionId, terminalId })),
    Effect.zipRight(client.request(output, { sessionId, terminalId })),
    Effect.map(({ exitStatus, output }) => ({
      content,
      rawOutput: { exitCode: exitStatus?.exitCode ?? null, output }
    })),
    Effect.ensuring(Effect.ignore(client.request(release, { sessionId, terminalId })))
  )
})

const asking: Script = {
  name: "permission",
  description: "Asks for a permission, and does as it is told",
  run: Effect.fnUntraced(function*(turn) {
    const chosen = yield* guarded(
      turn,
      { title: "Launch the paper plane", kind: "execute", rawInput: { command: "launch --paper-plane" } },
      { content: [shows("It flies.")] }
    )
    if (Option.isNone(chosen)) return "cancelled"
    const { kind, name } = chosen.value
    yield* turn.say(
      `You chose "${name}" (${kind}): ${
        kind === "reject_once" ? "the paper plane stays here." : "the paper plane is in the air."
      }`
    )
    return "end_turn"
  })
}

const two: Script = {
  name: "two",
  description: "Asks two things at once",
  run: Effect.fnUntraced(function*(turn) {
    const ask = Effect.fnUntraced(function*(name: string) {
      const toolCallId = yield* freshCallId
      return yield* permission(turn, { toolCallId, title: `Do the ${name} thing`, kind: "other", status: "pending" })
    })
    const answers = yield* Effect.all([ask("first"), ask("second")], { concurrency: "unbounded" })
    const [first, second] = answers.map(Option.map((chosen) => chosen.kind))
    if (first === undefined || second === undefined || Option.isNone(first) || Option.isNone(second)) return "cancelled"
    yield* turn.say(`first: ${first.value}, second: ${second.value}`)
    return "end_turn"
  })
}

const fields: acp.ElicitationSchema = {
  type: "object",
  title: "A postcard",
  properties: {
    name: { type: "string", title: "Your name", minLength: 1, maxLength: 40 },
    season: {
      type: "string",
      title: "Season",
      oneOf: [{ const: "spring", title: "Spring" }, { const: "summer", title: "Summer" }, {
        const: "autumn",
        title: "Autumn"
      }, { const: "winter", title: "Winter" }],
      default: "summer"
    },
    copies: { type: "integer", title: "How many copies", minimum: 1, maximum: 10, default: 1 },
    stamp: { type: "boolean", title: "With a stamp", default: true },
    colours: {
      type: "array",
      title: "Colours",
      items: { type: "string", enum: ["red", "green", "blue"] },
      maxItems: 2,
      default: ["blue"]
    }
  },
  required: ["name", "season"]
}

const form: Script = {
  name: "form",
  description: "Asks for a form to be filled, and reads it back",
  run: Effect.fnUntraced(function*(turn) {
    if (turn.client.capabilities.elicitation?.form == null) return yield* turn.say("This client does not show forms.")
    const answer = yield* turn.client.request(acp.methods.client.elicitation.create, {
      sessionId: turn.sessionId,
      mode: "form",
      message: "What should be on the postcard?",
      requestedSchema: fields
    })
    yield* turn.say(
      acp.CreateElicitationResponse.isAccept(answer)
        ? `You answered: ${JSON.stringify(answer.content ?? {})}`
        : `You answered: ${answer.action}`
    )
  })
}

const url: Script = {
  name: "url",
  description: "Asks to open a page, and hears later that it is done",
  run: Effect.fnUntraced(function*(turn) {
    if (turn.client.capabilities.elicitation?.url == null) return yield* turn.say("This client does not open pages.")
    const elicitationId = yield* Effect.flatMap(IdSource, (ids) => ids.next("url"))
    const answer = yield* turn.client.request(acp.methods.client.elicitation.create, {
      sessionId: turn.sessionId,
      mode: "url",
      message: "Please have a look at this page.",
      elicitationId,
      url: `https://example.com/holdfast?visit=${elicitationId}`
    })
    if (!acp.CreateElicitationResponse.isAccept(answer)) return yield* turn.say(`You answered: ${answer.action}`)
    yield* turn.say("I wait for the page. ")
    yield* turn.pause("300 millis")
    yield* turn.client.elicitationCompleted(elicitationId)
    yield* turn.say("The page says that you were there.")
  })
}

const help: Script = {
  name: "help",
  description: "Lists the scripts",
  run: (turn) =>
    turn.say([
      "Without a script I hold a short conversation. These show one thing each:\n",
      ...scripts.map(({ description, hint, name }) =>
        `- \`/${name}${hint === undefined ? "" : ` ${hint}`}\` ${description}`
      )
    ].join("\n"))
}

/** @since 0.1.0 */
export const scripts: ReadonlyArray<Script> = [
  help,
  stream,
  thinking,
  planning,
  tools,
  asking,
  form,
  url,
  two,
  ...misbehaviours
]

/** The scripts as the client's slash commands. @since 0.1.0 */
export const commands: ReadonlyArray<acp.AvailableCommand> = scripts.map(({ description, hint, name }) => ({
  name,
  description,
  ...(hint === undefined ? {} : { input: { hint } })
}))

/** The script that a prompt names, and what stands after its name. @since 0.1.0 */
export const find = (
  prompt: string
): Option.Option<{ readonly script: Script; readonly argument: string }> => {
  const [, name, argument = ""] = /^\s*\/(\w+)\s*([^]*?)\s*$/.exec(prompt) ?? []
  if (name === undefined) return Option.none()
  const script = scripts.find((script) => script.name === name) ?? {
    name,
    description: "",
    run: (turn: Turn) => turn.say(`I have no script /${name}. /help lists what there is.`)
  }
  return Option.some({ script, argument })
}

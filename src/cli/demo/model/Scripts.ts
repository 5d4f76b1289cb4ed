/**
 * What the demo model answers. The prompt chooses, as it does with the demo agent: `/stream 20`, `/tool NAME {…}`, `/401`. Pure.
 *
 * @since 0.1.0
 */
import type { Conversation } from "./Conversation.js"

/** A piece of an answer. @since 0.1.0 */
export type Part =
  | { readonly _tag: "Thought" | "Text"; readonly text: string }
  /** The arguments as they are written: a model may write anything. */
  | { readonly _tag: "Call"; readonly name: string; readonly args: string }

/**
 * - `Said`: the parts, and then the end: `whole`; `cut`, in the middle of an event; `stalled`, for ever.
 * - `Refused`: an HTTP error. `times` is for how many requests with the same body; those after it get `then`.
 *
 * @since 0.1.0
 */
export type Answer =
  | { readonly _tag: "Said"; readonly parts: ReadonlyArray<Part>; readonly ending: "whole" | "cut" | "stalled" }
  | {
    readonly _tag: "Refused"
    readonly status: number
    readonly message: string
    readonly retryAfter?: number
    readonly times: number
    readonly then: Answer
  }

interface Script {
  readonly name: string
  readonly hint?: string
  readonly description: string
  readonly answer: (argument: string, conversation: Conversation) => Answer
}

const said = (...parts: ReadonlyArray<Part>): Answer => ({ _tag: "Said", parts, ending: "whole" })
const text = (text: string): Part => ({ _tag: "Text", text })
const call = (name: string, args: unknown): Part => ({ _tag: "Call", name, args: JSON.stringify(args) })

const refused = (status: number, message: string, times = Number.POSITIVE_INFINITY, retryAfter?: number): Answer => ({
  _tag: "Refused",
  status,
  message,
  times,
  ...retryAfter === undefined ? {} : { retryAfter },
  then: said(text("Now it works."))
})

const count = (argument: string, otherwise: number) => /^\d{1,6}$/.test(argument) ? Number(argument) : otherwise

const words = (argument: string): readonly [first: string, rest: string] => {
  const [first = ""] = argument.split(/\s/, 1)
  return [first, argument.slice(first.length).trim()]
}

/** The tool by its name, or by its name within a server: `echo` is `everything__echo`. */
const named = (name: string, { tools }: Conversation) =>
  tools.find((tool) => tool === name) ?? tools.find((tool) => tool.endsWith(`__${name}`))

/** What it says once the tools have answered. */
const told = (results: ReadonlyArray<string>): Answer =>
  said(text(`${results.length === 1 ? "The tool" : `${results.length} tools`} answered: ${results.join(" · ")}`))

/** Calls the tools that are there, in one turn, and tells what they answered. */
const calling = (
  conversation: Conversation,
  ...calls: ReadonlyArray<readonly [name: string, args: unknown]>
): Answer => {
  if (conversation.results.length > 0) return told(conversation.results)
  const found = calls.flatMap(([name, args]) => {
    const tool = named(name, conversation)
    return tool === undefined ? [] : [call(tool, args)]
  })
  if (found.length > 0) return said(text("I will use a tool. "), ...found)
  const there = conversation.tools.length === 0 ? "none" : conversation.tools.join(", ")
  return said(text(`I have no tool ${calls.map(([name]) => name).join(", ")}. I have: ${there}`))
}

const parse = (json: string): unknown => {
  try {
    return JSON.parse(json === "" ? "{}" : json)
  } catch {
    return undefined
  }
}

const scripts: ReadonlyArray<Script> = [
  { name: "help", description: "What I can show", answer: () => said(text(help())) },
  {
    name: "stream",
    hint: "N",
    description: "A long text, of N words",
    answer: (argument) => said(text(Array.from({ length: count(argument, 200) }, (_, word) => `${word + 1} `).join("")))
  },
  {
    name: "think",
    description: "A thought, and then a text",
    answer: () =>
      said({ _tag: "Thought", text: "This needs no more than a moment. " }, text("I have thought about it."))
  },
  {
    name: "tool",
    hint: "NAME JSON",
    description: "One call of that tool with these arguments",
    answer: (argument, conversation) => {
      const [name, json] = words(argument)
      const args = parse(json)
      return args === undefined
        ? said(text(`These are no arguments in JSON: ${json}`))
        : calling(conversation, [name, args])
    }
  },
  {
    name: "tools",
    description: "Two calls at once, of the tools echo and get-sum",
    answer: (_, conversation) =>
      calling(conversation, ["echo", { message: "hello from the model" }], ["get-sum", { a: 19, b: 23 }])
  },
  {
    name: "progress",
    description: "A call that takes a while and tells of its progress",
    answer: (_, conversation) => calling(conversation, ["trigger-long-running-operation", { duration: 2, steps: 4 }])
  },
  {
    name: "question",
    description: "A call in which an MCP server asks a person",
    answer: (_, conversation) => calling(conversation, ["trigger-elicitation-request", {}])
  },
  {
    name: "transfer",
    hint: "AGENT TASK",
    description: "The task to a sub-agent",
    answer: (argument, conversation) => {
      const [agent, task] = words(argument)
      return calling(conversation, ["transfer", { agent, task }])
    }
  },
  {
    name: "repeat",
    description: "The same call, for ever",
    answer: (_, { tools: [tool = "none"] }) => said(call(tool, {}))
  },
  { name: "401", description: "Refuses the key", answer: () => refused(401, "Incorrect API key provided") },
  {
    name: "429",
    hint: "N",
    description: "Too many requests, N times, with Retry-After",
    answer: (argument) => refused(429, "Rate limit reached", count(argument, 1), 1)
  },
  {
    name: "500",
    hint: "N",
    description: "An error of the server, N times",
    answer: (argument) => refused(500, "The server had an error", count(argument, 1))
  },
  {
    name: "down",
    hint: "MODEL",
    description: "The model by that name is not available, others are",
    answer: (argument, { model }) =>
      model === argument ? refused(503, `${model} is overloaded`) : said(text(`I am ${model}.`))
  },
  {
    name: "half",
    description: "Ends in the middle of an event",
    answer: () => ({ _tag: "Said", parts: [text("This sentence has no")], ending: "cut" })
  },
  {
    name: "stall",
    description: "Says something, and then nothing more",
    answer: () => ({ _tag: "Said", parts: [text("Wait for it … ")], ending: "stalled" })
  },
  {
    name: "unknown",
    description: "Calls a tool that is not there",
    answer: (_, { results }) => results.length > 0 ? told(results) : said(call("no-such-tool", {}))
  },
  {
    name: "garbage",
    description: "Calls a tool with arguments that are no JSON",
    answer: (_, { results, tools: [tool = "none"] }) =>
      results.length > 0 ? told(results) : said({ _tag: "Call", name: tool, args: "{\"half\": " })
  },
  {
    name: "wrong",
    hint: "NAME",
    description: "Calls that tool with arguments that are not the ones it takes",
    answer: (argument, conversation) => calling(conversation, [words(argument)[0], { unexpected: [1, 2, 3] }])
  },
  { name: "empty", description: "Answers nothing", answer: () => said() }
]

const help = (): string =>
  scripts.map(({ description, hint, name }) => `/${name}${hint === undefined ? "" : ` ${hint}`}: ${description}`).join(
    "\n"
  )

/** @since 0.1.0 */
export const answer = (conversation: Conversation): Answer => {
  const prompt = conversation.prompt.trim()
  const [first, argument] = words(prompt)
  const script = scripts.find(({ name }) => first === `/${name}`)
  if (script !== undefined) return script.answer(argument, conversation)
  if (conversation.results.length > 0) return told(conversation.results)
  return said(
    text(`You said: ${prompt.slice(0, 200)}\n\n`),
    text("I am the demo model: no network, no key, and not much of a mind. /help lists what I can show.")
  )
}

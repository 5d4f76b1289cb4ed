/**
 * What is made of each frame of the agent stream that is no response.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import type { AgentEvent } from "../../domain/AgentEvent.js"
import { AgentDied, type AgentError, AgentProtocolError, AgentRequestFailed } from "../../domain/Errors.js"
import type { AgentSignal } from "../Agent.js"
import type { Respond } from "./AgentStream.js"
import type { Choices } from "./Choices.js"
import * as Events from "./Events.js"
import * as McpServers from "./McpServers.js"
import type { OpenQuestions } from "./OpenQuestions.js"
import type { Turns } from "./Turns.js"
import * as Wire from "./Wire.js"

/** @since 0.1.0 */
export interface Frames {
  /** In order; what is only text is passed on at once. */
  readonly handle: (
    frames: ReadonlyArray<Wire.Frame>,
    respond: Respond,
    questions: OpenQuestions
  ) => Effect.Effect<void, AgentError>
  /** A type that this version does not know: told once each. */
  readonly unknown: (type: string) => Effect.Effect<void>
  /** How many frames have come. */
  readonly heard: () => number
  /** Whose end came last and was nobody's. */
  readonly lastOver: () => number | undefined
  readonly supports: () => ReadonlyArray<string>
}

/** How long the news of an agent's end may come after that of the turn which it broke off. */
const obituary = "2 seconds"

/** The host tells of an agent that ended by an error with its exit code. */
const deathOf = (fields: Wire.Fields): AgentDied | undefined => {
  const { exit_code, recent_stderr } = Wire.fieldsOf(fields["data"])
  if (typeof exit_code !== "number") return undefined
  return new AgentDied({
    exitCode: exit_code,
    signal: null,
    stderr: Array.isArray(recent_stderr) ? recent_stderr.join("\n") : "",
    message: Wire.string(fields["error"]) ?? `the agent ended with ${exit_code}`
  })
}

const promptError = (fields: Wire.Fields) => {
  const { rpc_code } = Wire.fieldsOf(fields["provider_error"])
  return new AgentRequestFailed({
    method: "agent.prompt",
    code: typeof rpc_code === "number" ? rpc_code : 0,
    message: Wire.string(fields["error"]) ?? "the turn failed"
  })
}

/** @since 0.1.0 */
export const make = (options: {
  readonly emit: (signal: AgentSignal) => Effect.Effect<void>
  readonly emitAll: (signals: ReadonlyArray<AgentSignal>) => Effect.Effect<void>
  readonly say: (event: AgentEvent) => Effect.Effect<void>
  readonly turns: Turns
  readonly choices: Choices
  /** Runs what no frame shall wait for, for as long as the connection is there. */
  readonly fork: (effect: Effect.Effect<void>) => void
  /** Whether the host means this session by the name. */
  readonly isOurs: (session: unknown) => boolean
}): Frames => {
  const { emit, emitAll, fork, isOurs, say, turns } = options
  const told = new Set<string>()
  let lastOver: number | undefined
  let supports: ReadonlyArray<string> = []
  let heard = 0

  const warn = (message: string, detail?: string) =>
    say({ type: "Warning", message, ...(detail === undefined ? {} : { detail }) })

  const unknown = (type: string) =>
    Effect.suspend(() => {
      // a host that makes up types must not fill the memory with them
      if (told.has(type) || told.size > 100) return Effect.void
      told.add(type)
      return warn(`the agent host said something that this version does not know: ${type}`)
    })

  const turnEnded = (fields: Wire.Fields, result: Extract<AgentSignal, { _tag: "TurnEnded" }>["result"]) => {
    const { prompt_generation: generation } = fields
    const run = turns.claim(generation, result)
    if (run !== undefined) {
      const ended = emit({ _tag: "TurnEnded", run, result })
      // an agent that ends fails its turn first, without a word of its own, and then the host says why
      if (result._tag === "Stopped" || result.error.message !== "Internal error") return ended
      fork(Effect.delay(ended, obituary))
      return Effect.void
    }
    // of an older turn, or told twice: it is nobody's, whoever is speaking now
    if (typeof generation === "number") lastOver = generation
    return Effect.void
  }

  const event = (type: string, fields: Wire.Fields, questions: OpenQuestions): Effect.Effect<void, AgentError> => {
    switch (type) {
      case "complete": {
        const stopReason = Wire.string(Wire.fieldsOf(fields["data"])["stop_reason"]) ?? "end_turn"
        return Effect.zipRight(
          fields["usage"] === undefined ? Effect.void : say(Events.extension("usage", { usage: fields["usage"] })),
          turnEnded(fields, { _tag: "Stopped", stopReason })
        )
      }
      case "error": {
        const death = deathOf(fields)
        if (death !== undefined) return Effect.fail(death)
        const error = promptError(fields)
        return fields["prompt_generation"] === undefined
          ? warn(`the agent host: ${error.message}`)
          : turnEnded(fields, { _tag: "Failed", error })
      }
      case "permission_request":
        return questions.permission(fields)
      case "permission_cancelled":
        return questions.permissionOver(fields)
      case "session_models":
        return Effect.forEach(options.choices.tell(fields), say, { discard: true })
      case "mcp_attachment": {
        const warning = McpServers.leftOut(fields)
        return warning === undefined ? Effect.void : say(warning)
      }
      case "agent_capabilities":
        supports = Object.entries(fields).flatMap(([name, value]) =>
          value === true && name.startsWith(Events.supports) ? [name.slice(Events.supports.length)] : []
        )
        return Effect.void
    }
    // what is of another session is not made its own
    const events = isOurs(fields["session_id"]) ? Events.toEvents(type, fields) : [Events.extension(type, fields)]
    const first = events[0]
    const said = events.length === 1 && first !== undefined
      ? say(first)
      : Effect.forEach(events, say, { discard: true })
    return Events.isKnown(type) ? said : Effect.zipRight(unknown(type), said)
  }

  const one = (frame: Wire.Frame, respond: Respond, questions: OpenQuestions): Effect.Effect<void, AgentError> => {
    switch (frame._tag) {
      case "Event":
        return event(frame.type, frame.fields, questions)
      case "Request":
        return questions.request(frame, respond)
      case "Response":
        return warn("the agent host answered what nobody asked, or asked any more", frame.id)
      case "Failure":
        return warn(`the agent host answered what nobody asked, or asked any more: ${frame.message}`, frame.id)
      case "Malformed": {
        const message = `the agent host sent a frame that is ${frame.what}: ${frame.text}`
        return Effect.fail(new AgentProtocolError({ detail: frame.text, message }))
      }
    }
  }

  const from = (
    index: number,
    frames: ReadonlyArray<Wire.Frame>,
    respond: Respond,
    questions: OpenQuestions
  ): Effect.Effect<void, AgentError> =>
    Effect.suspend(() => {
      const texts: Array<AgentSignal> = []
      for (let next = index; next < frames.length; next++) {
        const frame = frames[next]
        if (frame === undefined) break
        heard++
        const text = frame._tag === "Event" && isOurs(frame.fields["session_id"])
          ? Events.chunk(frame.type, frame.fields)
          : undefined
        if (text !== undefined) {
          texts.push({ _tag: "Said", event: text })
          continue
        }
        return emitAll(texts).pipe(
          Effect.zipRight(one(frame, respond, questions)),
          Effect.zipRight(from(next + 1, frames, respond, questions))
        )
      }
      return emitAll(texts)
    })

  return {
    handle: (frames, respond, questions) => from(0, frames, respond, questions),
    unknown,
    heard: () => heard,
    lastOver: () => lastOver,
    supports: () => supports
  }
}

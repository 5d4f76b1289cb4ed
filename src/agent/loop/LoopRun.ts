/**
 * A run of the loop while it works: whose it is, what was said in it, and how it speaks.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import type * as Option from "effect/Option"
import type { AgentEvent } from "../../domain/AgentEvent.js"
import type { ContentBlock } from "../../domain/Content.js"
import type { ElicitationAnswer, ElicitationOutcome, ElicitationRequest } from "../../domain/Elicitation.js"
import type { RunId, SessionId } from "../../domain/Ids.js"
import type { Conversation } from "./Conversation.js"
import type { Definition, Limits } from "./Definition.js"
import type { RunHooks, Warn } from "./HookRunner.js"
import type { HookOutput, HookTold } from "./Hooks.js"
import type { Models } from "./Models.js"
import type { Judge } from "./Permissions.js"
import type { Toolbox } from "./Toolbox.js"
import type { Voice } from "./Voice.js"

/** An agent at work in a session. @since 0.1.0 */
export interface Actor {
  readonly definition: Definition
  readonly limits: Limits
  readonly models: Models
  readonly hooks: RunHooks
  readonly judge: Judge
  readonly tools: Toolbox
  /** What the hooks of the session's start want it to know. */
  readonly preamble: string | undefined
}

/** @since 0.1.0 */
export interface Place {
  readonly sessionId: SessionId
  readonly cwd: string
  readonly voice: Voice
}

/** Messages that steer, not yet told to the model; `undefined` when it is too late for one. @since 0.1.0 */
export interface Inbox {
  messages: ReadonlyArray<ReadonlyArray<ContentBlock>> | undefined
}

/** @since 0.1.0 */
export interface LoopRun {
  readonly id: RunId
  readonly place: Place
  readonly conversation: Conversation
  /** Those whose work this run is part of, the outermost first; none for a turn of the session itself. */
  readonly waiting: ReadonlyArray<Actor>
  /** Who works in it; another one after a hand-off. */
  actor: Actor
  readonly inbox: Inbox
  /** Records, and remembers. */
  readonly say: (...events: ReadonlyArray<AgentEvent>) => Effect.Effect<void>
  readonly warn: Warn
  readonly ask: (
    request: ElicitationRequest,
    elsewhere?: Effect.Effect<ElicitationOutcome>
  ) => Effect.Effect<Option.Option<ElicitationAnswer>>
  readonly hooks: (told: HookTold) => Effect.Effect<HookOutput>
}

/** @since 0.1.0 */
export const make = (options: {
  readonly id: RunId
  readonly place: Place
  readonly actor: Actor
  readonly waiting: ReadonlyArray<Actor>
  readonly conversation: Conversation
  readonly inbox: Inbox
}): LoopRun => {
  const { conversation, id, place } = options
  const { cwd, sessionId, voice } = place

  const say: LoopRun["say"] = (...events) =>
    Effect.suspend(() => {
      events.forEach(conversation.add)
      return voice.say(id, events)
    })
  const warn: Warn = (message) => say({ type: "Warning", message })
  const hooks: LoopRun["hooks"] = (told) =>
    Effect.suspend(() => {
      const { definition: { name: agent }, hooks } = run.actor
      return hooks({ ...told, sessionId, runId: id, agent, cwd }, warn)
    })

  const run: LoopRun = {
    ...options,
    say,
    warn,
    ask: (question, elsewhere) =>
      Effect.zipRight(hooks({ point: "OnQuestion", question }), voice.ask(id, question, elsewhere)),
    hooks
  }
  return run
}

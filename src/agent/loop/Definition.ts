/**
 * What an agent of the loop is made of, as data: who it is, which model it thinks with, what it can do and may do.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import type { Hook } from "./Hooks.js"
import type { LoopModel } from "./LoopModel.js"
import type { Permissions } from "./Permissions.js"
import type { Toolset } from "./Toolset.js"

/**
 * How an agent may use the others: give one a task and wait for its result (`transfer`), let one work on beside it (`background`), or
 * leave the conversation to it (`handoff`).
 *
 * @since 0.1.0
 */
export type Delegation = "transfer" | "background" | "handoff"

/** @since 0.1.0 */
export interface Definition {
  readonly name: string
  readonly description?: string | undefined
  /** The first one that is not cooling down is asked; the others are for when it fails. */
  readonly model: LoopModel | readonly [LoopModel, ...ReadonlyArray<LoopModel>]
  /** The system message. */
  readonly instructions?: string | undefined
  readonly tools?: ReadonlyArray<Toolset> | undefined
  readonly hooks?: ReadonlyArray<Hook> | undefined
  readonly permissions?: Permissions | undefined
  /** The agents that it can delegate to. They may name each other, also in a circle: nobody delegates to one that waits for it. */
  readonly agents?: ReadonlyArray<Definition> | undefined
  /** `transfer` and `background` by default. */
  readonly delegation?: ReadonlyArray<Delegation> | undefined
  readonly limits?: Partial<Limits> | undefined
  /** The session's title: the first words of its first prompt (the default), a few words of the model, or none. */
  readonly titles?: "prompt" | "model" | "off" | undefined
}

/** @since 0.1.0 */
export interface Limits {
  /** Calls of the model in a turn, before a person is asked whether it shall go on. */
  readonly iterations: number
  /** Tool calls of one answer that run at the same time. */
  readonly concurrency: number
  /** The same calls in a row, after which a turn ends. */
  readonly repeats: number
  /** Characters of a tool's result that the model is given. */
  readonly resultSize: number
  /** How full the context is when it is summarised, of 1. More than 1: never. */
  readonly compactAt: number
  /** Attempts with a model that fails, the first one included. */
  readonly attempts: number
  /** How long a model may be silent. */
  readonly idle: Duration.Duration
  /** The longest wait that a model may ask for (`Retry-After`): for a longer one, another is asked instead. */
  readonly patience: Duration.Duration
  /** How long a model that failed is not asked, while there is another. */
  readonly coolDown: Duration.Duration
  /** Agents that wait for one another. */
  readonly depth: number
  /** Background agents that work at the same time, in a session. */
  readonly background: number
}

/** @since 0.1.0 */
export const limits: Limits = {
  iterations: 50,
  concurrency: 8,
  repeats: 5,
  resultSize: 100_000,
  compactAt: 0.9,
  attempts: 3,
  idle: Duration.minutes(2),
  patience: Duration.minutes(1),
  coolDown: Duration.minutes(1),
  depth: 5,
  background: 20
}

/** @since 0.1.0 */
export const limitsOf = (definition: Definition): Limits => ({ ...limits, ...definition.limits })

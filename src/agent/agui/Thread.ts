/**
 * What the runs of a thread and the listener between them share.
 *
 * @since 0.1.0
 */
import type * as Scope from "effect/Scope"
import type { AgentError } from "../../domain/Errors.js"
import type { Intake } from "../../lifecycle/stream/Intake.js"
import type { AgentSignal } from "../Agent.js"
import type { AguiAgentOptions } from "./AguiOptions.js"
import type { Conversation } from "./Conversation.js"
import type { Reader } from "./Reader.js"
import type { Runs } from "./Runs.js"
import type { Told } from "./Told.js"
import type { Upstream } from "./Wire.js"

/** @since 0.1.0 */
export interface Thread {
  readonly id: string
  readonly options: AguiAgentOptions
  readonly upstream: Upstream
  readonly conversation: Conversation
  readonly reader: Reader
  readonly told: Told
  readonly runs: Runs
  readonly signals: Intake<AgentSignal, AgentError>
  /** The connection's. */
  readonly scope: Scope.Scope
}

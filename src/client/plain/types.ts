/**
 * What goes over the wire, as JSON.
 *
 * @since 0.1.0
 */
import type { ContentBlock as Content } from "../../domain/Content.js"
import type * as DecisionSchema from "../../domain/Decision.js"
import type * as ElicitationSchema from "../../domain/Elicitation.js"
import type * as SessionSchema from "../../domain/Session.js"
import type * as StoredEventSchema from "../../domain/StoredEvent.js"

/** @since 0.1.0 */
export type ContentBlock = typeof Content.Encoded
/** @since 0.1.0 */
export type Decision = typeof DecisionSchema.Decision.Encoded
/** @since 0.1.0 */
export type Elicitation = typeof ElicitationSchema.Elicitation.Encoded
/** @since 0.1.0 */
export type ElicitationAnswer = typeof ElicitationSchema.ElicitationAnswer.Encoded
/** @since 0.1.0 */
export type Session = typeof SessionSchema.Session.Encoded
/** @since 0.1.0 */
export type SessionStatus = typeof SessionSchema.SessionStatus.Encoded
/** @since 0.1.0 */
export type StoredEvent = typeof StoredEventSchema.StoredEvent.Encoded

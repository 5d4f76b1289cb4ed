/**
 * Which session an AG-UI thread is.
 *
 * A thread's id is the client's own. The session's is derived from it, so that nothing has to be stored to find the session again, after
 * a restart too: see docs/decisions/0007-a-thread-names-its-session.md.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"
import { createHash } from "node:crypto"
import { SessionId } from "../../domain/Ids.js"

const alphabet = "0123456789abcdefghjkmnpqrstvwxyz"

const isSessionId = Schema.is(SessionId)

/**
 * `made` tells whether the thread's first message opens a session: a thread that is one of our own session ids only joins it.
 *
 * @since 0.1.0
 */
export const sessionOf = (agent: string, threadId: string): { readonly id: SessionId; readonly made: boolean } => {
  if (isSessionId(threadId)) return { id: threadId, made: false }
  // an agent's name holds no NUL, so no two pairs are one text
  const hash = createHash("sha256").update(`${agent}\0${threadId}`).digest()
  // 130 bits: nobody's thread meets another's by chance
  const name = Array.from(hash.subarray(0, 26), (byte) => alphabet[byte & 31]).join("")
  return { id: SessionId.make(`ses_${name}`), made: true }
}

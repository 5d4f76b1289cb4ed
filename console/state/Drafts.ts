/** What was written and not sent yet. It stays when one looks at another session, and goes with the page. */
import type { Values } from "../model/Form.js"

export interface Drafts<A> {
  readonly get: (id: string) => A | undefined
  readonly set: (id: string, draft: A | undefined) => void
}

const make = <A>(): Drafts<A> => {
  const drafts = new Map<string, A>()
  return {
    get: (id) => drafts.get(id),
    set: (id, draft) => void (draft === undefined ? drafts.delete(id) : drafts.set(id, draft))
  }
}

export const prompts = make<string>()
/** Under which key a text was tried: as long as it is the same, a second attempt is not a second prompt. */
export const attempts = make<{ readonly text: string; readonly key: string }>()
export const answers = make<Values>()

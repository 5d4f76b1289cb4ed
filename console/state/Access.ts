/** The gateway as this page may call it: with the token that was given, if one is needed. */
import { computed, signal } from "@preact/signals"
import * as Gateway from "../api/Gateway.js"

const name = "holdfast.token"

/** Of this tab only, and gone with it. A browser that is told to store nothing refuses: then it is gone with the page. */
const stored = {
  read: (): string | undefined => {
    try {
      return sessionStorage.getItem(name) ?? undefined
    } catch {
      return undefined
    }
  },
  write: (token: string) => {
    try {
      sessionStorage.setItem(name, token)
    } catch {
      // see above
    }
  }
}

const token = signal(stored.read())
const refusal = signal<Gateway.Failure | undefined>(undefined)

export const gateway = Gateway.make({
  token: () => token.peek(),
  onFailure: (failure) => {
    if (failure.status === 401) refusal.value = failure
  }
})

/** A token has to be given before anything can be seen. */
export const locked = computed(() => refusal.value !== undefined)
/** Whether one was given, which was not the right one. */
export const wrong = computed(() => refusal.value !== undefined && token.value !== undefined)

/** Tries it; what it fails with is why it is not taken. */
export const unlock = async (given: string): Promise<void> => {
  token.value = given
  await gateway.agents()
  stored.write(given)
  refusal.value = undefined
}

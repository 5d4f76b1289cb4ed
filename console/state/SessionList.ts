/** The sessions of the gateway, asked for every few seconds: it has no feed of them. */
import { computed, effect, signal } from "@preact/signals"
import type { Session } from "../../src/domain/Session.js"
import { type Failure, toFailure } from "../api/Gateway.js"
import * as Access from "./Access.js"
import { visible } from "./Visible.js"

const interval = { visible: 2_500, hidden: 15_000, longest: 30_000 }

const newest = signal<ReadonlyArray<Session>>([])
/** Pages that were asked for by hand; they change little. */
const older = signal<ReadonlyArray<Session>>([])
/** Those that wait for an answer, where the first page does not have all: nobody would look for them page by page. */
const waiting = signal<ReadonlyArray<Session>>([])
const nextOfNewest = signal<string | undefined>(undefined)
const nextOfOlder = signal<{ readonly after: string | undefined } | undefined>(undefined)

export const loaded = signal(false)
export const failure = signal<Failure | undefined>(undefined)
export const sessions = computed(() => {
  const known = new Set<string>()
  const asWaiting = new Map(waiting.value.map((session) => [session.id, session]))
  const others = older.value.map((session) => asWaiting.get(session.id) ?? session)
  // those of pages that were not asked for are older than all the others
  return [...newest.value, ...others, ...waiting.value].filter(({ id }) => !known.has(id) && known.add(id))
})
const next = computed(() => nextOfOlder.value === undefined ? nextOfNewest.value : nextOfOlder.value.after)
export const hasMore = computed(() => next.value !== undefined)

const sameSession = (one: Session, other: Session | undefined) =>
  one.id === other?.id && one.updatedAt === other.updatedAt && one.head === other.head && one.status === other.status

/** Keeps what has not changed, so that nothing is drawn again for it. */
const update = (found: ReadonlyArray<Session>) => {
  const before = newest.peek()
  if (found.length === before.length && found.every((session, index) => sameSession(session, before[index]))) return
  const known = new Map(before.map((session) => [session.id, session]))
  // what newer ones have pushed off the first page stays above the older ones that were asked for
  if (nextOfOlder.peek() !== undefined) {
    const still = new Set([...found, ...older.peek()].map(({ id }) => id))
    older.value = [...before.filter(({ id }) => !still.has(id)), ...older.peek()]
  }
  newest.value = found.map((session) => {
    const same = known.get(session.id)
    return same !== undefined && sameSession(session, same) ? same : session
  })
}

/** What the pages after the first one do not tell: who waits there for an answer, and who does not any more. */
const lookFurther = async (signal: AbortSignal) => {
  const found = await Access.gateway.waiting(signal)
  const still = new Set(found.map(({ id }) => id))
  const over = older.peek().filter(({ id, status }) => status === "waiting" && !still.has(id))
  const now = new Map(
    await Promise.all(over.map(async ({ id }) => [id, await Access.gateway.get(id)] as const))
  )
  if (now.size > 0) older.value = older.peek().map((session) => now.get(session.id) ?? session)
  const before = waiting.peek()
  if (found.length === before.length && found.every((session, index) => sameSession(session, before[index]))) return
  waiting.value = found
}

export const more = async (): Promise<void> => {
  const after = next.peek()
  if (after === undefined) return
  const page = await Access.gateway.list(after)
  older.value = [...older.peek(), ...page.sessions]
  nextOfOlder.value = { after: page.next }
}

let timer: ReturnType<typeof setTimeout> | undefined
let asked = new AbortController()
let failures = 0

/** Now, and from now on again and again. */
export const refresh = async (): Promise<void> => {
  clearTimeout(timer)
  asked.abort()
  const controller = asked = new AbortController()
  try {
    const page = await Access.gateway.list(undefined, controller.signal)
    failures = 0
    update(page.sessions)
    nextOfNewest.value = page.next
    loaded.value = true
    failure.value = undefined
    if (page.next === undefined) waiting.value = []
    else await lookFurther(controller.signal)
  } catch (error) {
    if (controller.signal.aborted) return
    failures++
    failure.value = toFailure(error)
  }
  if (Access.locked.peek()) return
  const pace = visible.peek() ? interval.visible : interval.hidden
  timer = setTimeout(refresh, Math.min(interval.longest, pace * 2 ** Math.min(failures, 5)))
}

/** A session that was opened here is in the list before the next answer is. */
export const add = (session: Session) => {
  newest.value = [session, ...newest.peek().filter(({ id }) => id !== session.id)]
}

export const begin = () => {
  effect(() => {
    // asks again when the page is looked at, and when the token was given
    if (!Access.locked.value && visible.value) void refresh()
  })
  addEventListener("online", () => void refresh())
}

/** The session that is looked at: its events as they come, folded once a frame. */
import { batch, computed, effect, type ReadonlySignal, signal } from "@preact/signals"
import type { Session } from "../../src/domain/Session.js"
import type { StoredEvent } from "../../src/domain/StoredEvent.js"
import * as Feed from "../api/Feed.js"
import { type Failure, toFailure } from "../api/Gateway.js"
import * as Conversation from "../model/Conversation.js"
import * as Access from "./Access.js"
import { announce } from "./Announce.js"
import { visible } from "./Visible.js"

export interface Log {
  /** Grows in place; `length` tells how far it has come. */
  readonly entries: ReadonlyArray<Feed.Entry>
  readonly length: number
}

export interface OpenSession {
  readonly id: string
  /** As the gateway told it at first; the conversation knows better once it is read. */
  readonly told: ReadonlySignal<Session | undefined>
  readonly conversation: ReadonlySignal<Conversation.Conversation>
  readonly log: ReadonlySignal<Log>
  readonly feed: ReadonlySignal<Feed.State>
  /** How far the history has been read, from 0 to 1; 1 once what there was at first is there. */
  readonly read: ReadonlySignal<number>
  /** Why there is nothing to see. */
  readonly failure: ReadonlySignal<Failure | undefined>
  /** What the last command failed with. */
  readonly problem: ReadonlySignal<string | undefined>
  readonly command: (act: () => Promise<unknown>) => Promise<boolean>
  readonly dismiss: () => void
  readonly retry: () => void
  readonly close: () => void
}

/** A hidden page lets go of its connection after this time: a browser has six for one gateway, and its tabs share them. */
const hiddenGrace = 20_000

const parse = (json: string): StoredEvent => JSON.parse(json)

/** What is worth a word to somebody who does not see it. */
const tell = (before: Conversation.Conversation, now: Conversation.Conversation) => {
  const asked = now.questions.filter((each) => !before.questions.includes(each))
  if (asked[0] !== undefined) announce(`The agent asks: ${asked[0].message}`)
  // a short turn may begin and end in one frame
  else if (now.run === undefined && now.items.slice(before.items.length).some(({ kind }) => kind === "ended")) {
    announce("The agent has finished")
  }
}

export const open = (id: string): OpenSession => {
  const conversation = signal(Conversation.empty)
  let entries: Array<Feed.Entry> = []
  const log = signal<Log>({ entries, length: 0 })
  const feed = signal<Feed.State>({ _tag: "Connecting" })
  const told = signal<Session | undefined>(undefined)
  const head = signal<number | undefined>(undefined)
  const failure = signal<Failure | undefined>(undefined)
  const problem = signal<string | undefined>(undefined)
  const read = computed(() => {
    if (head.value === undefined) return 0
    return head.value === 0 ? 1 : Math.min(1, conversation.value.seq / head.value)
  })

  let arrived: Array<StoredEvent> = []
  let frame: number | undefined

  const flush = () => {
    if (frame !== undefined) cancelAnimationFrame(frame)
    frame = undefined
    const events = arrived
    if (events.length === 0) return
    arrived = []
    batch(() => {
      const before = conversation.peek()
      const now = Conversation.fold(before, events)
      const live = read.peek() === 1
      conversation.value = now
      log.value = { entries, length: entries.length }
      if (live) tell(before, now)
    })
  }

  const source = Feed.start({
    open: (after, signal) => Access.gateway.events(id, after, signal),
    onEntry: (entry) => {
      entries.push(entry)
      arrived.push(parse(entry.json))
      // a page that nobody sees has no frames; it catches up when it is looked at
      frame ??= requestAnimationFrame(flush)
    },
    onState: (state) => {
      feed.value = state
      if (state._tag === "Ended") failure.value = state.failure
    },
    onExpired: (oldest) => {
      arrived = []
      entries = []
      batch(() => {
        conversation.value = Conversation.beginningAt(oldest)
        log.value = { entries, length: 0 }
      })
    }
  })

  const learnHead = async () => {
    try {
      told.value = await Access.gateway.get(id)
      head.value = told.value.head
    } catch (error) {
      // the feed says it, too, and tries again where that helps
      const { status } = toFailure(error)
      if (status === 400 || status === 404) failure.value = toFailure(error)
      else head.value = 0
    }
  }
  void learnHead()

  const retry = () => {
    failure.value = undefined
    source.retry()
    if (head.peek() === undefined) void learnHead()
  }

  let leaving: ReturnType<typeof setTimeout> | undefined
  const endOfWatch = effect(() => {
    clearTimeout(leaving)
    if (visible.value) source.resume()
    else leaving = setTimeout(source.pause, hiddenGrace)
  })
  // given the token, it goes on
  const endOfAccess = effect(() => {
    if (!Access.locked.value && feed.peek()._tag === "Ended") retry()
  })
  const online = () => source.retry()
  addEventListener("online", online)

  return {
    id,
    told,
    conversation,
    log,
    feed,
    read,
    failure,
    problem,
    command: async (act) => {
      try {
        await act()
        problem.value = undefined
        return true
      } catch (error) {
        problem.value = toFailure(error).message
        return false
      }
    },
    dismiss: () => {
      problem.value = undefined
    },
    retry,
    close: () => {
      source.stop()
      endOfWatch()
      endOfAccess()
      clearTimeout(leaving)
      removeEventListener("online", online)
      if (frame !== undefined) cancelAnimationFrame(frame)
    }
  }
}

/**
 * Runs as one writes them first. `docs/races.md` tells of the bugs.
 */
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import * as Stream from "effect/Stream"

export const lateRelease = <E>(
  channel: { readonly open: Effect.Effect<void>; readonly close: Effect.Effect<void> },
  tools: Effect.Effect<ReadonlyArray<string>, E>
) =>
  Effect.gen(function*() {
    yield* channel.open
    const names = yield* tools // no tools: the run is over, and the channel stays open
    yield* Effect.addFinalizer(() => channel.close)
    return names
  })

export const droppingChannel = (events: ReadonlyArray<string>) =>
  Effect.gen(function*() {
    const channel = yield* Queue.dropping<string>(2) // a slow viewer must not hold up the run
    yield* Effect.fork(Queue.offerAll(channel, [...events, "RunEnded"]))
    return Stream.takeUntil(Stream.fromQueue(channel), (event) => event === "RunEnded")
  })

export const closedChannel = Effect.gen(function*() {
  const channel = yield* Queue.bounded<string>(16)
  const say = (text: string) => Queue.offer(channel, text)
  const end = Effect.zipRight(Queue.offer(channel, "RunEnded"), Queue.shutdown(channel))
  return { say, end }
})

/**
 * The fibers that are alive.
 *
 * Whatever starts a fiber (`runFork`, `forkDaemon`, `forkIn`, a `FiberMap`, a `ReadableStream`) makes a root, and `Effect.fork` a
 * child: walking the roots and their children finds all. The walk tells nothing to the fibers and costs microseconds.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as FiberId from "effect/FiberId"
import * as FiberRef from "effect/FiberRef"
import * as HashMap from "effect/HashMap"
import * as HashSet from "effect/HashSet"
import * as Option from "effect/Option"
import * as Supervisor from "effect/Supervisor"
import type { Found } from "./Leak.js"
import * as RealTime from "./RealTime.js"
import * as Spans from "./Spans.js"

/** @since 0.1.0 */
export type AnyFiber = Fiber.RuntimeFiber<unknown, unknown>

/** Of each live fiber the one whose child it is; `undefined` for a root. */
export type Living = ReadonlyMap<AnyFiber, AnyFiber | undefined>

// what the runtime keeps to itself; a version of Effect without such a field only makes the report poorer
const field = (fiber: AnyFiber, name: "_children" | "_running" | "_asyncBlockingOn"): unknown =>
  Reflect.get(fiber, name)

const childrenOf = (fiber: AnyFiber): Iterable<AnyFiber> => {
  const children = field(fiber, "_children")
  return children instanceof Set ? children : []
}

// a weak reference: each of a line of fibers that fork the next would keep all before it
const parents = new WeakMap<AnyFiber, { readonly id: FiberId.Runtime; readonly ref: WeakRef<AnyFiber> }>()

// what a fiber that is ending waits for is no longer among its children; those of a supervised effect are known all the same
const supervised = new Set<AnyFiber>()

const supervise = (fiber: AnyFiber) => {
  supervised.add(fiber)
  fiber.addObserver(() => supervised.delete(fiber))
}

class Parents extends Supervisor.AbstractSupervisor<void> {
  override get value() {
    return Effect.void
  }
  override onStart<A, E, R>(
    _context: unknown,
    _effect: Effect.Effect<A, E, R>,
    parent: Option.Option<AnyFiber>,
    fiber: Fiber.RuntimeFiber<A, E>
  ) {
    supervise(fiber)
    if (Option.isSome(parent)) parents.set(fiber, { id: parent.value.id(), ref: new WeakRef(parent.value) })
  }
}

const supervisor = new Parents()

/** Remembers who forked whom, which a root does not know. */
export const withParents = <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.withFiberRuntime((fiber) => {
    supervise(fiber)
    return Effect.supervised(self, supervisor)
  })

/** @since 0.1.0 */
export const living = (): Living => {
  const found = new Map<AnyFiber, AnyFiber | undefined>()
  const walk = (fiber: AnyFiber, parent: AnyFiber | undefined) => {
    if (found.has(fiber) || fiber.unsafePoll() !== null) return
    found.set(fiber, parent)
    for (const child of childrenOf(fiber)) walk(child, fiber)
  }
  for (const root of Fiber.unsafeRoots()) walk(root, undefined)
  for (const fiber of supervised) walk(fiber, undefined)
  return found
}

/** The fiber and those it is a child of: alive because somebody looks. */
export const lineage = (alive: Living, fiber: AnyFiber | undefined): ReadonlySet<AnyFiber> => {
  const line = new Set<AnyFiber>()
  for (let at = fiber; at !== undefined && !line.has(at); at = alive.get(at)) line.add(at)
  return line
}

const parentOf = (fiber: AnyFiber, alive: Living): string | undefined => {
  const parent = alive.get(fiber)
  if (parent !== undefined) return Spans.title(parent)
  const known = parents.get(fiber)
  if (known === undefined) return undefined
  const forker = known.ref.deref()
  return forker === undefined ? `fiber #${known.id.id}, which has ended` : Spans.title(forker)
}

const waitsFor = (fiber: AnyFiber, alive: Living, timer: string | undefined): string => {
  if (field(fiber, "_running") === true) return "nothing: it is about to go on"
  if (timer !== undefined) return timer
  const on = field(fiber, "_asyncBlockingOn")
  const ids = FiberId.isFiberId(on) ? Array.from(HashSet.toValues(FiberId.ids(on))) : []
  if (ids.length === 0) return "a callback (a timer, a socket, a permit, a promise)"
  return ids.map((id) => {
    if (id === fiber.id().id) return "a Deferred of its own (a queue, a latch)"
    const other = Array.from(alive.keys()).find((each) => each.id().id === id)
    if (other === undefined) return `fiber #${id}, which has ended or is being ended, or a Deferred that it made`
    const spans = Spans.names(other.currentSpan)
    return `fiber #${id}${spans.length === 0 ? "" : ` (${spans.join(" < ")})`}, or a Deferred that it made`
  }).join(" and ")
}

/** As a leak. `timer` tells of the timer that it waits for, if there is one. */
export const describe = (fiber: AnyFiber, alive: Living, timer: string | undefined): Found => {
  const parent = parentOf(fiber, alive)
  const spans = Spans.names(fiber.currentSpan)
  const annotations = HashMap.toEntries(fiber.getFiberRef(FiberRef.currentLogAnnotations))
  const details: Array<readonly [string, string]> = [
    ["spans", spans.length === 0 ? "none" : spans.join(" < ")],
    ["waits for", waitsFor(fiber, alive, timer)]
  ]
  if (parent !== undefined) details.push(["parent", parent])
  if (annotations.length > 0) {
    details.push(["annotations", annotations.map(([key, value]) => `${key}=${String(value)}`).join(" ")])
  }
  return {
    identity: fiber,
    leak: {
      kind: "fiber",
      what: `#${fiber.id().id}${field(fiber, "_running") === true ? ", running" : ", suspended"}`,
      age: RealTime.now() - fiber.id().startTimeMillis,
      spans,
      stack: [],
      details
    }
  }
}

/**
 * What keeps the event loop busy: sockets, servers, timers, file watchers, threads and message ports, each with the line that made it.
 *
 * Node tells of them through `async_hooks`, and only of those that are made while somebody listens; listening slows promises and
 * timers down two to four times. A handle is known by the record of its making and not by its id or place in a list, so an old
 * one that goes cannot stand in for a new one.
 *
 * @since 0.1.0
 */
import * as Predicate from "effect/Predicate"
import * as AsyncHooks from "node:async_hooks"
import * as Diagnostics from "node:diagnostics_channel"
import type * as Fibers from "./Fibers.js"
import * as HandleText from "./HandleText.js"
import type { Found, Kind } from "./Leak.js"
import * as Origin from "./Origin.js"
import * as Processes from "./Processes.js"
import * as RealTime from "./RealTime.js"

// Node's names of what it makes. TLS stands on a TCP handle, and a child process is found in the process table
const kinds = new Map<string, Kind>([
  ["Timeout", "timer"],
  ["Immediate", "timer"],
  ["TCPWRAP", "socket"],
  ["PIPEWRAP", "socket"],
  ["TTYWRAP", "socket"],
  ["UDPWRAP", "socket"],
  ["TCPSERVERWRAP", "server"],
  ["PIPESERVERWRAP", "server"],
  ["FSEVENTWRAP", "watcher"],
  ["STATWATCHER", "watcher"],
  ["WORKER", "worker"],
  ["MESSAGEPORT", "port"]
])

interface Handle {
  readonly serial: number
  readonly kind: Kind
  readonly type: string
  readonly resource: WeakRef<object>
  readonly origin: Origin.Origin
}

let watchers = 0

const made = new Map<number, Handle>()
let serial = 0

const onMade = (id: number, type: string, _trigger: number, resource: object) => {
  const kind = kinds.get(type)
  if (kind === undefined) return
  made.set(id, { serial: ++serial, kind, type, resource: new WeakRef(resource), origin: Origin.capture(onMade) })
}

const hook = AsyncHooks.createHook({ init: onMade, destroy: (id) => void made.delete(id) })

/** Of servers and sockets the line that asked for them: Node may make the handle later, when it has an address. */
const asked = new WeakMap<object, Origin.Origin>()

const onAsked = (message: unknown) => {
  if (!Predicate.isObject(message)) return
  const owner = HandleText.field(message, "server") ?? HandleText.field(message, "socket")
  if (Predicate.isObject(owner)) asked.set(owner, Origin.capture(onAsked))
}

/** Where it comes from, and what to call that. */
const originOf = ({ origin }: Handle, owner: object | undefined): readonly [origin: Origin.Origin, label?: string] => {
  if (owner === undefined || Origin.foremost(origin.stack()).length > 0) return [origin]
  const earlier = asked.get(owner)
  if (earlier !== undefined) return [earlier]
  const server = HandleText.field(owner, "server")
  const listening = Predicate.isObject(server) ? asked.get(server) : undefined
  return listening === undefined ? [origin] : [listening, "listening at"]
}

const channels = ["tracing:net.server.listen:asyncStart", "net.client.socket"]

/** Listens until the returned function is called; may be called any number of times. */
export const watch = (): () => void => {
  if (++watchers === 1) {
    hook.enable()
    for (const channel of channels) Diagnostics.subscribe(channel, onAsked)
  }
  let stopped = false
  return () => {
    if (stopped) return
    stopped = true
    if (--watchers > 0) return
    hook.disable()
    for (const channel of channels) Diagnostics.unsubscribe(channel, onAsked)
  }
}

/** A mark in time: what is made from now on comes after it. */
export const mark = (): number => serial

/** What keeps the process alive, or with `unref` what could. Idle sockets of keep-alive agents do not. */
const isActive = (resource: object, unref: boolean): boolean => {
  const hasRef = HandleText.field(resource, "hasRef")
  return HandleText.field(resource, "_destroyed") !== true && typeof hasRef === "function" &&
    (unref || hasRef.call(resource) === true)
}

const runners = /^(vitest|@vitest\/.*|vite|vite-node|tinypool|birpc)$/

/** Made by Node for itself: the process's own streams, the channel to a child that was forked, the ports behind a worker thread. */
const isPlatforms = ({ kind, origin, type }: Handle, resource: object): boolean => {
  const fd = HandleText.field(resource, "fd")
  if ((type === "PIPEWRAP" || type === "TTYWRAP") && typeof fd === "number" && fd >= 0 && fd <= 2) return true
  if (type === "PIPEWRAP" && "pendingHandle" in resource) return true
  return kind === "port" && origin.stack().some((frame) => /^new Worker \(node:/.test(frame))
}

interface Active {
  readonly handle: Handle
  readonly resource: object
  readonly owner: object | undefined
  /** Made by Effect's own clock or by `Effect.never`: it belongs to the fiber that waits for it, and goes with it. */
  readonly ofFiber: boolean
}

const active = (since: number, unref: boolean): ReadonlyArray<Active> => {
  const found: Array<Active> = []
  for (const [id, handle] of made) {
    const resource = handle.resource.deref()
    if (resource === undefined) {
      made.delete(id)
      continue
    }
    const owner = HandleText.ownerOf(resource)
    if (handle.serial <= since || !isActive(resource, unref) || isPlatforms(handle, resource)) continue
    const maker = Origin.maker(handle.origin)
    if (maker !== undefined && runners.test(maker)) continue
    found.push({ handle, resource, owner, ofFiber: handle.kind === "timer" && maker === "effect" })
  }
  return found
}

/** What was made after the mark and is still active. */
export const alive = (since: number, unref: boolean): ReadonlyArray<Found> =>
  active(since, unref).flatMap(({ handle, ofFiber, owner, resource }) => {
    // the streams of a child that lives are told of with it
    if (ofFiber || Processes.isStreamOfChild(owner)) return []
    const [origin, label] = originOf(handle, owner)
    return [{
      identity: handle,
      leak: {
        kind: handle.kind,
        what: HandleText.describe(handle.kind, handle.type, resource, owner),
        age: RealTime.now() - handle.origin.at,
        spans: origin.spans(),
        stack: origin.stack(),
        details: Origin.describe(origin, label)
      }
    }]
  })

/** Of each fiber that waits in `Effect.sleep` or `Effect.never`, as far as the hook saw it: for what. */
export const waits = (): ReadonlyMap<Fibers.AnyFiber, string> => {
  const found = new Map<Fibers.AnyFiber, string>()
  for (const { handle, ofFiber, resource } of active(0, false)) {
    if (ofFiber && handle.origin.fiber !== undefined) found.set(handle.origin.fiber, HandleText.wait(resource))
  }
  return found
}

/**
 * What is told of a handle. Node's objects are read with care here: they are asked for nothing but plain fields and `address()`.
 *
 * @since 0.1.0
 */
import * as Predicate from "effect/Predicate"
import type { Kind } from "./Leak.js"

/** A field of an object that has no type here. */
export const field = (of: object, name: PropertyKey): unknown => Reflect.get(of, name)

/** The `Socket`, `Server` or `FSWatcher` whose handle it is. */
export const ownerOf = (resource: object): object | undefined => {
  const symbol = Object.getOwnPropertySymbols(resource).find(({ description }) => description === "owner_symbol")
  const owner = symbol === undefined ? undefined : field(resource, symbol)
  return Predicate.isObject(owner) ? owner : undefined
}

const endpoint = (host: unknown, port: unknown) =>
  typeof host === "string" && typeof port === "number"
    ? `${host.includes(":") ? `[${host}]` : host}:${port}`
    : undefined

/** Of a server or a UDP socket; `undefined` when it has none (yet). */
const addressOf = (owner: object): string | undefined => {
  try {
    const address = field(owner, "address")
    const found: unknown = typeof address === "function" ? address.call(owner) : undefined
    if (typeof found === "string") return found
    return Predicate.isObject(found) ? endpoint(field(found, "address"), field(found, "port")) : undefined
  } catch {
    return undefined // a UDP socket that is not bound
  }
}

const classOf = (value: object): string => value.constructor.name

const socket = (type: string, owner: object): string => {
  if (type === "UDPWRAP") return `udp ${addressOf(owner) ?? "not bound"}`
  const kind = type === "TCPWRAP" ? classOf(owner) === "TLSSocket" ? "tls" : "tcp" : type === "TTYWRAP" ? "tty" : "pipe"
  const server = field(owner, "server")
  const accepted = Predicate.isObject(server) ? ", accepted by a server" : ""
  const local = endpoint(field(owner, "localAddress"), field(owner, "localPort"))
  const remote = endpoint(field(owner, "remoteAddress"), field(owner, "remotePort"))
  if (local !== undefined && remote !== undefined) return `${kind} ${local} -> ${remote}${accepted}`
  return `${kind}${field(owner, "connecting") === true ? ", not connected yet" : accepted}`
}

const server = (owner: object): string =>
  `${field(owner, "headersTimeout") === undefined ? "net" : "http"} server at ${addressOf(owner) ?? "no address"}`

const timer = (type: string, resource: object): string => {
  const call = field(resource, type === "Immediate" ? "_onImmediate" : "_onTimeout")
  const callback = typeof call === "function" && call.name !== "" ? ` of ${call.name}` : ""
  if (type === "Immediate") return `setImmediate${callback}`
  return `${typeof field(resource, "_repeat") === "number" ? "setInterval" : "setTimeout"}, ${
    String(field(resource, "_idleTimeout"))
  } ms${callback}`
}

/** Which one it is, in a line. */
export const describe = (kind: Kind, type: string, resource: object, owner: object | undefined): string => {
  switch (kind) {
    case "timer":
      return timer(type, resource)
    case "socket":
      return owner === undefined ? type : socket(type, owner)
    case "server":
      return owner === undefined ? type : server(owner)
    case "watcher":
      return type === "STATWATCHER" ? "fs.watchFile" : "fs.watch"
    case "worker":
      return `thread ${String(field(resource, "threadId"))}`
    default:
      return "with a listener, not closed"
  }
}

/** What a fiber waits for whose timer this is. */
export const wait = (timeout: object): string =>
  field(timeout, "_repeat") === null
    ? `a timer of ${String(field(timeout, "_idleTimeout"))} ms (Effect.sleep)`
    : "nothing: it waits for ever (Effect.never)"

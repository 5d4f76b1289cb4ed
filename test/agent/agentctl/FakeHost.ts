/**
 * An agentctl host for tests, over real sockets, made from the facts of version 0.95.1: one server is its control server and its only
 * instance. It keeps what an agent says while nobody is connected, up to a hundred events, and drops the rest, as the real one does.
 */
import * as Effect from "effect/Effect"
import * as http from "node:http"
import type { Socket } from "node:net"
import { type WebSocket, WebSocketServer } from "ws"

type Fields = Readonly<Record<string, unknown>>

/** How it misbehaves; each may be switched while it runs. */
export interface Faults {
  /** Every event is told twice. */
  duplicate: boolean
  /** A cancel changes nothing, and is said not to have been acknowledged. */
  neverAcknowledge: boolean
  /** Requests with these actions are never answered. */
  mute: ReadonlySet<string>
  /** Requests with these actions are answered when they are let go. */
  hold: ReadonlySet<string>
  /** Another instance has the port: the guard refuses. */
  recycled: boolean
  /** HTTP routes that begin so are answered with this status and body. */
  answer:
    | { readonly path: string; readonly status: number; readonly body: string; readonly location?: string }
    | undefined
  /** What `agent.session.load` fails with. */
  load: string | undefined
  /** A message that steers is not taken. */
  refuseSteer: boolean
  /** The agent cannot be stopped. */
  unstoppable: boolean
  /** Takes so long before each HTTP answer. */
  slow: number
}

export interface Asked {
  readonly action: string
  readonly payload: Fields
}

export interface FakeHost {
  readonly url: string
  readonly port: number
  readonly nonce: string
  readonly faults: Faults
  /** The port that instances are told to be at: a network that fails, say. */
  tellPort: (port: number) => void
  /** What a prompt does; it is answered before. */
  onPrompt: (prompt: { readonly text: string; readonly generation: number }) => void
  readonly asked: ReadonlyArray<Asked>
  readonly calls: ReadonlyArray<string>
  readonly bodies: ReadonlyArray<Fields>
  readonly event: (event: Fields) => void
  /** As it is, whatever it is. */
  readonly raw: (frame: string) => void
  readonly chunk: (text: string) => void
  readonly complete: (generation: number, stopReason?: string) => void
  readonly permission: (id: string) => void
  readonly permissions: Map<string, Fields>
  /** A request of the host; the frame that answers it. */
  readonly request: (id: string, action: string, payload: Fields) => Promise<Fields>
  readonly workspace: (message: Fields) => void
  readonly workspaceRaw: (frame: string) => void
  readonly workspaceHeard: ReadonlyArray<Fields>
  /** Answers what was held. */
  readonly letGo: () => void
  /** Says goodbye to those who are connected to the agent stream. */
  readonly closeReaders: (code: number) => void
  /** Those who are connected to it. */
  readonly readers: () => number
  /** Events that were dropped because nobody was there for too long. */
  readonly dropped: () => number
  /** How much waits to be sent to the one who reads. */
  readonly unsent: () => number
  readonly instances: Map<string, Fields>
  /** Somebody uses the nonce up; the token. */
  readonly handshake: Effect.Effect<string>
  /** What its agent can, as it says when it is initialized. */
  readonly supports: Set<string>
  /** Of the request that it was told last. */
  readonly lastId: () => string
  /** How often the agent was started. */
  readonly starts: () => number
  /** Ends it as `kill -9` does. */
  readonly kill: Effect.Effect<void>
  /** A new life at the same port: it knows no instance and no token, and takes the nonce once. */
  readonly startAnew: (nonce?: string) => void
}

const kept = 100
const models = [{ model_id: "small", name: "Small" }, { model_id: "large", name: "Large" }]

export const make = Effect.fnUntraced(function*() {
  let nonce = "once"
  let life = 1
  const token = () => String(life).repeat(64)
  const supports = new Set<string>()
  const faults: Faults = {
    duplicate: false,
    neverAcknowledge: false,
    mute: new Set(),
    hold: new Set(),
    recycled: false,
    answer: undefined,
    load: undefined,
    refuseSteer: false,
    unstoppable: false,
    slow: 0
  }
  const instances = new Map<string, Fields>()
  const permissions = new Map<string, Fields>()
  const asked: Array<Asked> = []
  const calls: Array<string> = []
  const bodies: Array<Fields> = []
  const workspaceHeard: Array<Fields> = []
  const waiting = new Map<string, (frame: Fields) => void>()
  const readers = new Set<WebSocket>()
  const workspaces = new Set<WebSocket>()
  const sockets = new Set<Socket>()
  let used = false
  let told = 0
  let queue: Array<string> = []
  let dropped = 0
  let open: number | undefined
  let sessions = 0
  /** The instances whose agent runs. */
  const running = new Set<string>()
  let starts = 0
  let created = 0
  let lastId = ""

  // --------------------------------------------------------------------------------------- what it says

  const deliver = (frame: string) => {
    const [reader] = readers
    if (reader !== undefined) reader.send(frame)
    // it is an instance that keeps it
    else if (queue.length < kept && instances.size > 0) queue.push(frame)
    else dropped++
  }
  const event = (fields: Fields) => {
    const frame = JSON.stringify({ session_id: "sess-1", supports_image: false, ...fields })
    for (let times = faults.duplicate ? 2 : 1; times > 0; times--) deliver(frame)
  }
  const complete = (generation: number, stop_reason = "end_turn") => {
    if (open === generation) open = undefined
    event({ type: "complete", prompt_generation: generation, data: { stop_reason } })
  }

  // ------------------------------------------------------------------------------------- what it is told

  const answer = (action: string, payload: Fields): Fields | { readonly error: string; readonly code: string } => {
    switch (action) {
      case "agent.initialize":
        event({
          type: "agent_capabilities",
          ...Object.fromEntries([...supports].map((name) => [`supports_${name}`, true]))
        })
        return { success: true, agent_info: { name: "fake", version: "1" } }
      case "agent.session.new":
      case "agent.session.reset":
        return { success: true, session_id: `sess-${++sessions}` }
      case "agent.session.load":
        return faults.load === undefined
          ? { success: true, session_id: payload["session_id"] }
          : { error: faults.load, code: "INTERNAL_ERROR" }
      case "agent.prompt":
        permissions.clear()
        if (faults.refuseSteer && payload["steer"] === true) return { success: false, error: "no turn to steer" }
        // one that steers takes the turn over: only its own number is told at the end
        open = Number(payload["prompt_generation"])
        return { success: true }
      case "agent.cancel":
        if (faults.neverAcknowledge) {
          return { success: false, error: "turn cancel not acknowledged", not_acknowledged: true }
        }
        if (open !== undefined) complete(open, "cancelled")
        return { success: true }
      case "agent.permissions.list":
        return { permissions: [...permissions.values()], total: permissions.size }
      case "agent.permissions.resolve":
      case "agent.permissions.cancel":
        return permissions.delete(String(payload["request_id"]))
          ? { ...payload, status: "resolved" }
          : { error: "permission_already_resolved", code: "CONFLICT" }
      case "agent.stderr":
        return { lines: ["a line"] }
      case "agent.session.set_mode":
        event({ type: "session_mode", current_mode_id: payload["mode_id"] })
        return { success: true }
      case "agent.session.set_model":
        event({ type: "session_models", current_model_id: payload["model_id"], session_models: models })
        return { success: true }
      case "agent.session.set_config_option":
        event({
          type: "session_models",
          session_models: models,
          config_options: [{ id: payload["config_id"], type: "select", current_value: payload["value"] }]
        })
        return { success: true }
      default:
        return { error: `unknown action: ${action}`, code: "UNKNOWN_ACTION" }
    }
  }

  const held: Array<() => void> = []

  const hear = (socket: WebSocket, text: string) => {
    const { action, id, payload, type } = JSON.parse(text)
    if (type !== "request") return waiting.get(id)?.(JSON.parse(text))
    asked.push({ action, payload })
    lastId = id
    if (faults.mute.has(action)) return
    if (faults.hold.has(action)) held.push(() => respond(socket, id, action, payload))
    else respond(socket, id, action, payload)
  }

  const respond = (socket: WebSocket, id: string, action: string, payload: Fields) => {
    const said = answer(action, payload ?? {})
    const failed = "code" in said
    const body = failed ? { code: said["code"], message: said["error"] } : said
    socket.send(JSON.stringify({ id, type: failed ? "error" : "response", action, payload: body }))
    if (action !== "agent.prompt") return
    host.onPrompt({ text: String(payload["text"]), generation: Number(payload["prompt_generation"]) })
  }

  const server = http.createServer((request, response) => {
    const chunks: Array<Buffer> = []
    request.on("data", (chunk: Buffer) => chunks.push(chunk)).on("end", () => {
      const body: Fields = chunks.length === 0 ? {} : JSON.parse(Buffer.concat(chunks).toString())
      setTimeout(() => reply(request, response, body), faults.slow)
    })
  })

  const reply = (request: http.IncomingMessage, response: http.ServerResponse, body: Fields) => {
    const { method = "", url = "" } = request
    calls.push(`${method} ${url}`)
    bodies.push(body)
    const send = (status: number, value: unknown) =>
      response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(value))
    if (faults.answer !== undefined && url.startsWith(faults.answer.path)) {
      const { body, location, status } = faults.answer
      return response.writeHead(status, location === undefined ? {} : { location }).end(body)
    }
    if (url === "/auth/handshake") {
      if (used || body["nonce"] !== nonce) return send(403, { error: "invalid or already used nonce" })
      used = true
      return send(200, { token: token() })
    }
    if (url === "/health") return send(200, { status: "ok" })
    if (request.headers.authorization !== `Bearer ${token()}`) return send(401, { error: "invalid auth token" })
    const id = /^\/api\/v1\/instances\/(.+)$/.exec(url)?.[1]
    if (url === "/api/v1/instances" && method === "POST") {
      const made = typeof body["id"] === "string" ? body["id"] : `exec-${++created}`
      instances.set(made, { ...body, id: made, port: told })
      return send(201, { id: made, port: told })
    }
    if (url === "/api/v1/instances") return send(200, { instances: [...instances.values()] })
    if (id !== undefined) {
      const instance = instances.get(id)
      if (instance === undefined) return send(404, { error: "instance not found" })
      if (method === "DELETE") {
        instances.delete(id)
        running.delete(id)
        queue = []
      }
      return send(200, method === "DELETE" ? { message: "instance stopped successfully" } : instance)
    }
    const refused = guard(request)
    if (refused !== undefined) return send(404, refused)
    if (url === "/api/v1/processes/start") return send(200, { process: { id: "proc-1", ...body } })
    const refuse = (error: string) => send(500, { success: false, error })
    const instance = String(request.headers["x-instance-id"])
    const runs = running.has(instance)
    switch (url) {
      case "/api/v1/status":
        return send(200, { agent_status: runs ? "running" : "stopped" })
      case "/api/v1/agent/configure":
        return runs ? refuse("cannot configure while agent is running") : send(200, { success: true })
      case "/api/v1/start":
        if (runs) return refuse("agent is already running")
        running.add(instance)
        starts++
        return send(200, { success: true })
      case "/api/v1/stop":
        if (faults.unstoppable) return refuse("it does not end")
        // it fails the turn that is open, and says so to whoever listens
        if (runs && open !== undefined) event({ type: "error", prompt_generation: open, error: "Internal error" })
        open = undefined
        running.delete(instance)
        permissions.clear()
        return send(200, { success: true, message: "agent stopped" })
      default:
        return send(200, { success: true })
    }
  }

  const guard = (request: http.IncomingMessage) =>
    faults.recycled || !instances.has(String(request.headers["x-instance-id"]))
      ? { error: "instance no longer exists at this port", recycled_port: true }
      : undefined

  const wss = new WebSocketServer({ noServer: true })
  server.on("connection", (socket) => {
    sockets.add(socket)
    socket.on("error", () => {}).on("close", () => sockets.delete(socket))
  })
  server.on("upgrade", (request, socket, head) => {
    if (guard(request) !== undefined) {
      return void socket.end("HTTP/1.1 404 Not Found\r\nconnection: close\r\n\r\n{\"recycled_port\":true}")
    }
    wss.handleUpgrade(request, socket, head, (peer) => {
      peer.on("error", () => {})
      const agent = request.url === "/api/v1/agent/stream"
      const peers = agent ? readers : workspaces
      peers.add(peer)
      peer.on("close", () => peers.delete(peer))
      peer.on("message", (data) => {
        const text = String(data)
        if (agent) hear(peer, text)
        else workspaceHeard.push(JSON.parse(text))
      })
      if (!agent) return peer.send("{\"type\":\"connected\",\"timestamp\":1}\n")
      const waited = queue
      queue = []
      for (const frame of waited) deliver(frame)
    })
  })

  const close = Effect.async<void>((resume) => {
    server.close(() => resume(Effect.void))
    for (const socket of sockets) socket.resetAndDestroy()
  })
  yield* Effect.acquireRelease(
    Effect.async<void>((resume) => void server.listen(0, "127.0.0.1", () => resume(Effect.void))),
    () => Effect.suspend(() => server.listening ? close : Effect.void)
  )
  const address = server.address()
  const port = address !== null && typeof address === "object" ? address.port : 0
  told = port

  const host: FakeHost = {
    url: `http://127.0.0.1:${port}`,
    port,
    get nonce() {
      return nonce
    },
    faults,
    supports,
    handshake: Effect.sync(() => {
      used = true
      return token()
    }),
    lastId: () => lastId,
    starts: () => starts,
    tellPort: (port) => void (told = port),
    onPrompt: ({ generation }) => complete(generation),
    asked,
    calls,
    bodies,
    event,
    raw: deliver,
    chunk: (text) => event({ type: "message_chunk", text }),
    complete,
    permission: (id) => {
      const shared = { session_id: "ses_1", request_id: id, pending_id: `pending-${id}`, tool_call_id: "tc1" }
      const options = [
        { option_id: "allow", name: "Allow", kind: "allow_once" },
        { option_id: "deny", name: "Deny", kind: "reject_once" }
      ]
      permissions.set(id, { ...shared, title: "Run ls", action: { type: "command" }, options })
      event({
        ...shared,
        type: "permission_request",
        permission_title: "Run ls",
        permission_options: options,
        action_type: "command"
      })
    },
    permissions,
    request: (id, action, payload) =>
      new Promise((resolve) => {
        waiting.set(id, resolve)
        deliver(JSON.stringify({ id, type: "request", action, payload }))
      }),
    workspace: (message) => host.workspaceRaw(`${JSON.stringify({ timestamp: 1, ...message })}\n`),
    workspaceRaw: (frame) => {
      for (const peer of workspaces) peer.send(frame)
    },
    workspaceHeard,
    letGo: () => {
      faults.hold = new Set()
      for (const answer of held.splice(0)) answer()
    },
    closeReaders: (code) => {
      for (const reader of readers) {
        reader.close(code)
        readers.delete(reader)
      }
    },
    readers: () => readers.size,
    dropped: () => dropped,
    unsent: () => [...readers].reduce((most, { bufferedAmount }) => most + bufferedAmount, 0),
    instances,
    kill: close,
    startAnew: (next = nonce) => {
      nonce = next
      life++
      used = false
      running.clear()
      open = undefined
      queue = []
      instances.clear()
      permissions.clear()
      for (const peer of [...readers, ...workspaces]) peer.terminate()
      for (const peers of [readers, workspaces]) peers.clear()
    }
  }
  return host
})

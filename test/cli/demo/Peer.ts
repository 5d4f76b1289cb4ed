/**
 * The SDK's own client against the demo agent as a real process.
 */
import * as acp from "@agentclientprotocol/sdk"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Ref from "effect/Ref"
import * as Schedule from "effect/Schedule"
import * as NodeChild from "node:child_process"
import * as NodeFs from "node:fs"
import * as NodeOs from "node:os"
import * as NodePath from "node:path"
import { Readable, Writable } from "node:stream"
import type { Options } from "../../../src/cli/demo/Options.js"
import { main } from "../../program.js"

export interface PeerOptions {
  readonly agent?: Options
  readonly state?: string
  readonly env?: Readonly<Record<string, string>>
  readonly capabilities?: acp.ClientCapabilities
}

export interface Exited {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

export type Answer<Request, Response> = (request: Request, signal: AbortSignal) => Response | Promise<Response>

/** `{ noLoad: true, exit: 3 }` as `--no-load --exit 3`. */
const flags = (options: Options): ReadonlyArray<string> =>
  Object.entries(options).flatMap(([name, value]) => {
    const flag = `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`
    return value === true ? [flag] : value === undefined || value === false ? [] : [flag, String(value)]
  })

/** A folder that is gone when the scope closes. */
export const temporary = Effect.acquireRelease(
  Effect.sync(() => NodeFs.mkdtempSync(NodePath.join(NodeOs.tmpdir(), "holdfast-test-"))),
  (folder) => Effect.sync(() => NodeFs.rmSync(folder, { recursive: true, force: true }))
)

/** Looks until it is so, for half a minute. */
export const eventually = (condition: () => boolean) =>
  Effect.sync(condition).pipe(
    Effect.repeat({ until: (holds) => holds, schedule: Schedule.spaced("10 millis") }),
    Effect.timeout("30 seconds"),
    Effect.orDie
  )

export const isAlive = (pid: number) => {
  try {
    process.kill(pid, 0)
    // a zombie that nobody has waited for yet is not alive
    const status = `/proc/${pid}/status`
    return !NodeFs.existsSync("/proc/self") || !/^State:\s+Z/m.test(NodeFs.readFileSync(status, "utf8"))
  } catch {
    return false
  }
}

/** The process alone; its group is killed when the scope closes. */
export const spawn = Effect.fnUntraced(function*(options: PeerOptions = {}) {
  const state = options.state ?? (yield* temporary)
  const child = yield* Effect.acquireRelease(
    Effect.sync(() =>
      NodeChild.spawn(process.execPath, [main, "demo-agent", ...flags(options.agent ?? {})], {
        stdio: ["pipe", "pipe", "pipe"],
        detached: true,
        env: { ...process.env, HOLDFAST_DEMO_STATE: state, HOLDFAST_DEMO_PACE: "0", ...options.env }
      })
    ),
    (child) =>
      Effect.sync(() => {
        try {
          if (child.pid !== undefined) process.kill(-child.pid, "SIGKILL")
        } catch { /* the group is empty, as it should be */ }
      })
  )
  const exited = yield* Deferred.make<Exited>()
  child.on("exit", (code, signal) => Deferred.unsafeDone(exited, Effect.succeed({ code, signal })))
  child.stdin.on("error", () => {})
  let stderr = ""
  child.stderr.on("data", (data) => stderr += data)
  return { child, exited: Deferred.await(exited), stderr: () => stderr }
})

/** The process with a client that has initialized it. */
export const connect = Effect.fnUntraced(function*(options: PeerOptions = {}) {
  const { child, exited, stderr } = yield* spawn(options)
  const updates: Array<acp.SessionNotification> = []
  const completed: Array<string> = []
  const lines: Array<string> = []
  let buffered = ""
  child.stdout.on("data", (data) => {
    const parts = (buffered + data).split("\n")
    buffered = parts.pop() ?? ""
    lines.push(...parts)
  })
  const onPermission = yield* Ref.make<Answer<acp.RequestPermissionRequest, acp.RequestPermissionResponse>>(() => ({
    outcome: { outcome: "selected", optionId: "allow_once" }
  }))
  const onElicitation = yield* Ref.make<Answer<acp.CreateElicitationRequest, acp.CreateElicitationResponse>>(() => ({
    action: "decline"
  }))
  const files = new Map<string, string>()
  const released: Array<string> = []
  const answer = <Request, Response>(
    ref: Ref.Ref<Answer<Request, Response>>,
    context: { readonly params: Request; readonly signal: AbortSignal }
  ) => Effect.runSync(Ref.get(ref))(context.params, context.signal)

  const connection = acp.client({ name: "test" })
    .onNotification(acp.methods.client.session.update, ({ params }) => {
      updates.push(params)
    })
    .onNotification(acp.methods.client.elicitation.complete, ({ params }) => {
      completed.push(params.elicitationId)
    })
    .onRequest(acp.methods.client.session.requestPermission, (context) => answer(onPermission, context))
    .onRequest(acp.methods.client.elicitation.create, (context) => answer(onElicitation, context))
    .onRequest(acp.methods.client.fs.writeTextFile, ({ params }) => {
      files.set(params.path, params.content)
    })
    .onRequest(acp.methods.client.fs.readTextFile, ({ params }) => ({ content: files.get(params.path) ?? "" }))
    .onRequest(acp.methods.client.terminal.create, () => ({ terminalId: "term_1" }))
    .onRequest(acp.methods.client.terminal.waitForExit, () => ({ exitCode: 0 }))
    .onRequest(acp.methods.client.terminal.output, () => ({
      output: "from the terminal\n",
      truncated: false,
      exitStatus: { exitCode: 0 }
    }))
    .onRequest(acp.methods.client.terminal.release, ({ params }) => {
      released.push(params.terminalId)
    })
    .connect(acp.ndJsonStream(Writable.toWeb(child.stdin), Readable.toWeb(child.stdout)))

  const call = <A>(evaluate: (agent: acp.ClientContext) => Promise<A>) =>
    Effect.tryPromise({ try: () => evaluate(connection.agent), catch: (error) => error })

  const initialized = yield* call((agent) =>
    agent.request(acp.methods.agent.initialize, {
      protocolVersion: acp.PROTOCOL_VERSION,
      clientCapabilities: options.capabilities ?? { elicitation: { form: {}, url: {} } }
    })
  ).pipe(Effect.orDie)
  return {
    child,
    exited,
    stderr,
    /** Every line of stdout, as it came. */
    lines,
    updates,
    completed,
    files,
    released,
    onPermission: (answer: Answer<acp.RequestPermissionRequest, acp.RequestPermissionResponse>) =>
      Ref.set(onPermission, answer),
    onElicitation: (answer: Answer<acp.CreateElicitationRequest, acp.CreateElicitationResponse>) =>
      Ref.set(onElicitation, answer),
    call,
    initialized
  }
})

export type Connected = Effect.Effect.Success<ReturnType<typeof connect>>

/** A session of it. */
export const open = Effect.fnUntraced(function*(peer: Connected, cwd = NodeOs.tmpdir()) {
  const opened = yield* peer.call((agent): Promise<acp.NewSessionResponse> =>
    agent.request(acp.methods.agent.session.new, { cwd, mcpServers: [] })
  ).pipe(Effect.orDie)
  return session(peer, opened.sessionId, opened)
})

/** The session's own updates, and what one can do with it. */
export const session = <Opened>(peer: Connected, sessionId: string, opened: Opened) => {
  const updates = () => peer.updates.flatMap((each) => each.sessionId === sessionId ? [each.update] : [])
  const prompt = (text: string, options?: acp.SendRequestOptions) =>
    peer.call((agent) =>
      agent.request(acp.methods.agent.session.prompt, { sessionId, prompt: [{ type: "text", text }] }, options)
    )
  const textOf = (updates: ReadonlyArray<acp.SessionUpdate>) =>
    updates.flatMap((update) =>
      update.sessionUpdate === "agent_message_chunk" && update.content.type === "text" ? [update.content.text] : []
    )
  return {
    sessionId,
    opened,
    updates,
    text: () => textOf(updates()),
    prompt,
    /** One turn: how it ended and what was said in it. */
    turn: Effect.fnUntraced(function*(text: string) {
      const before = updates().length
      const { stopReason } = yield* prompt(text)
      const during = updates().slice(before).filter(({ sessionUpdate }) =>
        sessionUpdate !== "available_commands_update"
      )
      return { stopReason, updates: during, text: textOf(during).join("") }
    }),
    cancel: peer.call((agent) => agent.notify(acp.methods.agent.session.cancel, { sessionId }))
  }
}

/** One process for the tests that do it no harm. */
export class Shared extends Context.Tag("test/demo/Shared")<Shared, Connected>() {
  static readonly layer = Layer.scoped(this, connect())
}

/**
 * An editor: the SDK's own client, with the real program as the agent that it starts.
 */
import * as acp from "@agentclientprotocol/sdk"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as NodeChild from "node:child_process"
import { Readable, Writable } from "node:stream"
import { everything, until } from "../../gateway/acp/fixture.js"
import { main } from "../../program.js"

export interface Exited {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

/** What the editor was asked; it answers when it likes. */
export interface Question {
  readonly kind: "permission" | "elicitation"
  readonly params: acp.RequestPermissionRequest & acp.CreateElicitationRequest
  /** The agent has taken it back. */
  readonly withdrawn: () => boolean
  readonly answer: (response: unknown) => Effect.Effect<void>
}

export interface Options {
  readonly cwd: string
  readonly env?: Readonly<Record<string, string>>
  readonly capabilities?: acp.ClientCapabilities
}

/** The process alone. It is killed when the scope closes. */
export const spawn = Effect.fnUntraced(function*(options: Options, ...args: ReadonlyArray<string>) {
  const own = Object.entries(process.env).filter(([name]) => !/^HOLDFAST_/.test(name))
  const child = yield* Effect.acquireRelease(
    Effect.sync(() =>
      NodeChild.spawn(process.execPath, [main, "acp", ...args], {
        cwd: options.cwd,
        stdio: ["pipe", "pipe", "pipe"],
        env: {
          ...Object.fromEntries(own),
          HOLDFAST_DEMO_PACE: "0",
          HOLDFAST_DEMO_STATE: `${options.cwd}/.demo`,
          // of a gateway that happens to run on this machine it knows nothing
          HOLDFAST_PORT: "1",
          ...options.env
        }
      })
    ),
    (child) => Effect.zipRight(Effect.sync(() => child.kill("SIGKILL")), Deferred.await(exited))
  )
  const exited = yield* Deferred.make<Exited>()
  child.on("close", (code, signal) => Deferred.unsafeDone(exited, Effect.succeed({ code, signal })))
  child.stdin.on("error", () => {})
  let stderr = ""
  child.stderr.setEncoding("utf8").on("data", (text: string) => stderr += text)
  return { child, exited: Deferred.await(exited), stderr: () => stderr }
})

/** An editor that has initialized its agent. */
export const start = Effect.fnUntraced(function*(options: Options, ...args: ReadonlyArray<string>) {
  const { child, exited, stderr } = yield* spawn(options, ...args)
  const updates: Array<acp.SessionNotification> = []
  /** Of each session what its agent has said, which is looked at again and again. */
  const said = new Map<string, string>()
  const questions: Array<Question> = []
  const completed: Array<string> = []
  /** What came, in order: the kinds of updates, and questions. */
  const order: Array<string> = []
  const lines: Array<string> = []
  let rest = ""
  child.stdout.on("data", (data: Buffer) => {
    const parts = (rest + data.toString("utf8")).split("\n")
    rest = parts.pop() ?? ""
    lines.push(...parts)
  })

  const ask =
    (kind: Question["kind"]) => ({ params, signal }: { readonly params: unknown; readonly signal: AbortSignal }) =>
      new Promise<never>((resolve, reject) => {
        order.push(kind)
        questions.push({
          kind,
          params: params as Question["params"],
          withdrawn: () => signal.aborted,
          answer: (response) =>
            Effect.sync(() => response instanceof Error ? reject(response) : resolve(response as never))
        })
        // the protocol wants a response to what was taken back, too
        signal.addEventListener("abort", () => reject(acp.RequestError.requestCancelled()))
      })

  const connection = acp.client({ name: "editor" })
    .onNotification(acp.methods.client.session.update, ({ params }) => {
      order.push(params.update.sessionUpdate)
      updates.push(params)
      said.set(params.sessionId, (said.get(params.sessionId) ?? "") + textOf([params.update], "agent_message_chunk"))
    })
    .onNotification(acp.methods.client.elicitation.complete, ({ params }) => {
      completed.push(params.elicitationId)
    })
    .onRequest(acp.methods.client.session.requestPermission, ask("permission"))
    .onRequest(acp.methods.client.elicitation.create, ask("elicitation"))
    .connect(acp.ndJsonStream(Writable.toWeb(child.stdin), Readable.toWeb(child.stdout)))

  const call = <A>(evaluate: (agent: acp.ClientContext) => Promise<A>) =>
    Effect.tryPromise({ try: () => evaluate(connection.agent), catch: (error) => error as acp.RequestError })

  const initialized = yield* call((agent) =>
    agent.request(acp.methods.agent.initialize, {
      protocolVersion: acp.PROTOCOL_VERSION,
      clientCapabilities: options.capabilities ?? everything
    })
  ).pipe(Effect.orDieWith((error) => new Error(`${String(error)}; stderr: ${stderr()}`)))

  return {
    child,
    exited,
    stderr,
    lines,
    updates,
    said: (sessionId: string) => said.get(sessionId) ?? "",
    questions,
    completed,
    order,
    call,
    initialized,
    /** Waits for the nth question, from 0. */
    asked: (index = 0) =>
      Effect.map(until(`question ${index}`, () => questions.length > index), (): Question => {
        const question = questions[index]
        if (question === undefined) throw new Error("it was there")
        return question
      }),
    /** Closes stdin, as an editor does that is closed. */
    leave: Effect.zipRight(Effect.sync(() => child.stdin.end()), exited),
    kill: Effect.zipRight(Effect.sync(() => child.kill("SIGKILL")), exited)
  }
})

export type Editor = Effect.Effect.Success<ReturnType<typeof start>>

const textOf = (updates: ReadonlyArray<acp.SessionUpdate>, kind: acp.SessionUpdate["sessionUpdate"]) =>
  updates.flatMap((update) =>
    update.sessionUpdate === kind && "content" in update && !Array.isArray(update.content) &&
      update.content?.type === "text"
      ? [update.content.text]
      : []
  ).join("")

/** One session in the editor. */
export const session = (editor: Editor, sessionId: string) => {
  const updates = (from = 0) =>
    editor.updates.flatMap((each) => each.sessionId === sessionId ? [each.update] : []).slice(from)
  const prompt = (text: string) =>
    editor.call((agent) =>
      agent.request(acp.methods.agent.session.prompt, { sessionId, prompt: [{ type: "text", text }] })
    )
  const said = () => editor.said(sessionId)
  return {
    sessionId,
    updates,
    prompt,
    said,
    thought: (from = 0) => textOf(updates(from), "agent_thought_chunk"),
    notices: () => updates().flatMap((update) => update.sessionUpdate === "notice" ? [update.title] : []),
    heard: (from = 0) => textOf(updates(from), "user_message_chunk"),
    /** One turn, and what was said in it. */
    turn: (text: string) =>
      Effect.suspend(() => {
        const [from, before] = [updates().length, said().length]
        return Effect.map(prompt(text), ({ stopReason }) => ({
          stopReason,
          updates: updates(from),
          said: said().slice(before)
        }))
      }),
    says: (text: string) => until(`"${text}" in ${sessionId}`, () => said().includes(text)),
    cancel: editor.call((agent) => agent.notify(acp.methods.agent.session.cancel, { sessionId }))
  }
}

export const open = (editor: Editor, cwd: string) =>
  Effect.map(
    editor.call((agent): Promise<acp.NewSessionResponse> =>
      agent.request(acp.methods.agent.session.new, { cwd, mcpServers: [] })
    ),
    (opened) => ({ ...session(editor, opened.sessionId), opened })
  )

export const load = (editor: Editor, sessionId: string, cwd: string) =>
  Effect.map(
    editor.call((agent) => agent.request(acp.methods.agent.session.load, { sessionId, cwd, mcpServers: [] })),
    (opened) => ({ ...session(editor, sessionId), opened })
  )

/**
 * The workspace stream of an instance: its shell, its processes, its files and what git says of them. The agent does not depend on it: when
 * it cannot be had the session goes on without.
 *
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import type { AgentEvent } from "../../domain/AgentEvent.js"
import { type AgentError, AgentLost, AgentProtocolError } from "../../domain/Errors.js"
import * as Inbox from "../../lifecycle/stream/Inbox.js"
import * as WebSocketSource from "../../lifecycle/stream/WebSocketSource.js"
import type { StreamManager } from "../../lifecycle/StreamManager.js"
import type { Workspace } from "../Agent.js"
import { liveness, redial } from "./AgentStream.js"
import type { Control, Instance } from "./Control.js"
import * as HostError from "./HostError.js"
import * as WorkspaceEvents from "./WorkspaceEvents.js"

const cut: AgentEvent = {
  type: "Warning",
  kind: "gap",
  message: "the connection to the workspace was cut: output of its shell and its processes may be missing"
}

/** @since 0.1.0 */
export const make = Effect.fnUntraced(function*(options: {
  readonly streams: StreamManager["Type"]
  readonly control: Control
  readonly instance: Instance
  readonly sessionId: string
  readonly folder: string
  readonly say: (event: AgentEvent) => Effect.Effect<void>
  /** A type that this version does not know: told once each. */
  readonly unknown: (type: string) => Effect.Effect<void>
  readonly idle: Duration.DurationInput | undefined
  readonly maxFrame: number
}): Effect.fn.Return<Workspace> {
  const { control, folder, instance, say, sessionId, streams } = options
  const key = "workspace"
  // open from the host's first frame on: what happens before that it does not tell
  const subscribed = yield* Effect.makeLatch(false)
  let connections = 0

  const handle = yield* streams.attach<
    WebSocketSource.WebSocketConnection,
    HostError.HostError | WebSocketSource.WebSocketError
  >(key, {
    redial,
    ...liveness(options.idle),
    connectTimeout: "15 seconds",
    connect: Effect.flatMap(
      control.socket(instance, "/api/v1/workspace/stream"),
      (address) => WebSocketSource.connect({ ...address, maxFrame: options.maxFrame })
    ),
    run: (socket, heartbeat) =>
      Effect.gen(function*() {
        if (connections++ > 0) yield* say(cut)
        yield* Inbox.drain(socket.pull, {
          heartbeat,
          handle: (raw) => {
            subscribed.unsafeOpen()
            const { events, unknown } = WorkspaceEvents.ofMessage(raw)
            const told = Effect.forEach(events, say, { discard: true })
            return unknown === undefined ? told : Effect.zipRight(options.unknown(`workspace: ${unknown}`), told)
          }
        })
        return yield* socket.closed
      }),
    // whether the host is there at all is for the agent stream to say
    onEnd: ({ cause, message, requested }) => {
      subscribed.unsafeClose()
      const error = cause === undefined ? undefined : Option.getOrUndefined(Cause.failureOption(cause))
      if (requested || error === undefined || HostError.final(error, options.maxFrame) === undefined) return Effect.void
      return Effect.zipRight(
        say({ type: "Warning", message: `the workspace of the agent is not there any more: ${message}` }),
        streams.detach(key, message)
      )
    }
  }).pipe(Effect.orDie) // as with the agent stream

  const ready = Effect.zipRight(handle.ready, Effect.zipRight(subscribed.await, handle.ready))

  const connected = <A>(effect: Effect.Effect<A, { readonly message: string }>) =>
    effect.pipe(
      Effect.timeoutFail({ duration: "10 seconds", onTimeout: () => ({ message: "it is not connected" }) }),
      Effect.mapError(({ message }): AgentError =>
        new AgentLost({ message: `the workspace cannot be reached: ${message}` })
      )
    )

  const write = (frame: object) => connected(Effect.flatMap(ready, ({ send }) => send(JSON.stringify(frame))))

  const send = (path: string, body: object) =>
    Effect.mapError(control.send(instance, "POST", path, body), HostError.toAgentError)

  return {
    shell: (data) => write({ type: "shell_input", data }),
    resize: (cols, rows) => write({ type: "shell_resize", cols, rows }),
    start: ({ command, cwd, env = {}, name }) =>
      Effect.flatMap(
        Effect.zipRight(
          connected(ready),
          send("/api/v1/processes/start", {
            session_id: sessionId,
            kind: "custom",
            script_name: name ?? "holdfast",
            command,
            working_dir: cwd === undefined ? folder : cwd.startsWith("/") ? cwd : `${folder}/${cwd}`,
            env
          })
        ),
        (answer) => {
          const process = Predicate.isRecord(answer) ? answer["process"] : undefined
          const id = Predicate.isRecord(process) ? process["id"] : undefined
          return typeof id === "string" ? Effect.succeed(id) : Effect.fail(
            new AgentProtocolError({
              detail: JSON.stringify(answer).slice(0, 200),
              message: "the agent host started a process and did not tell its id"
            })
          )
        }
      ),
    stop: (process_id) => Effect.asVoid(send("/api/v1/processes/stop", { process_id }))
  }
})

/** The examples of lifecycle.md. */
import * as Effect from "effect/Effect"
import {
  type Elicitation,
  ElicitationBridge,
  type Ids,
  Inbox,
  RestartCoalescer,
  StreamManager,
  WebSocketSource
} from "holdfast"

// #region streams
export const follow = Effect.gen(function*() {
  const streams = yield* StreamManager.StreamManager
  const handle = yield* streams.attach("build/42", {
    connect: WebSocketSource.connect({ url: "ws://127.0.0.1:9000/events" }),
    run: (socket, heartbeat) => Inbox.drain(socket.pull, { heartbeat, handle: (frame) => Effect.log(frame) }),
    idle: "45 seconds",
    probe: { every: "15 seconds", send: (socket) => socket.ping },
    onEnd: (end) => Effect.log(`${end.reason}: ${end.message}`)
  })
  const socket = yield* handle.ready // the connection that is up, or the next one
  yield* socket.send("subscribe")
  yield* streams.detach("build/42", "the build is over") // on return nothing of it is left
})
// #endregion

// #region restarts
export const supervise = Effect.gen(function*() {
  const restarts = yield* RestartCoalescer.make({
    cycle: (agent: string, { causes, requests }) =>
      Effect.log(`restarting ${agent}: ${causes.join(", ")} (${requests} requests)`),
    policy: { settle: "10 seconds", intensity: { max: 5, within: "5 minutes" }, coolDown: "1 minute" }
  })
  yield* restarts.submit("reviewer", "changed") // accepted: a cycle will start that sees the change
  yield* restarts.submit("reviewer", "failed") // covered by the cycle that runs: no second one
  yield* restarts.request("reviewer", "requested") // waits for the end of the cycle that covers it
})
// #endregion

// #region questions
export const deploy = (sessionId: Ids.SessionId, show: (question: Elicitation.Elicitation) => Effect.Effect<void>) =>
  Effect.gen(function*() {
    const bridge = yield* ElicitationBridge.ElicitationBridge
    const outcome = yield* bridge.ask({
      sessionId,
      request: { kind: "confirmation", message: "Deploy to production?" },
      deadline: "10 minutes",
      announce: show, // it can be answered from the moment at which this begins
      settled: (_, outcome) => Effect.log(`it ended: ${outcome._tag}`)
    })
    return outcome._tag === "Answered" && outcome.action === "accept"
  })
// #endregion

/**
 * The scripts in which the demo agent does what an agent should not do and real ones do, so that a client can be seen
 * to cope.
 *
 * @since 0.1.0
 */
import * as acp from "@agentclientprotocol/sdk"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Stdio from "./Stdio.js"
import { type Script, text, type Turn } from "./Turn.js"

/** An update whose line on the wire, its end included, is so many bytes long. */
const ofBytes = (turn: Turn, bytes: number): acp.SessionUpdate => {
  const update = (length: number): acp.SessionUpdate => ({
    sessionUpdate: "agent_message_chunk",
    content: text("x".repeat(length))
  })
  const empty = JSON.stringify({
    jsonrpc: "2.0",
    method: acp.methods.client.session.update,
    params: { sessionId: turn.sessionId, update: update(0) }
  })
  return update(Math.max(0, bytes - empty.length - 1))
}

/** A whole number, or the default. */
const integer = (argument: string, otherwise: number): number =>
  /^\d{1,9}$/.test(argument) ? Number(argument) : otherwise

const sleep: Script = {
  name: "sleep",
  hint: "seconds",
  description: "Says nothing for a while; a cancel ends it early",
  run: Effect.fnUntraced(function*(turn) {
    const seconds = /^\d+(\.\d+)?$/.test(turn.argument) ? Number(turn.argument) : 5
    yield* turn.say(`I sleep for ${seconds} s. `)
    yield* Effect.sleep(Duration.seconds(seconds))
    yield* turn.say("I am awake.")
  })
}

const fail: Script = {
  name: "fail",
  description: "Answers the prompt with an error",
  run: (turn) =>
    Effect.zipRight(
      turn.say("This will not end well. "),
      Effect.fail(acp.RequestError.internalError({ script: "/fail" }, "the demo agent fails, as asked"))
    )
}

const crash: Script = {
  name: "crash",
  description: "Ends the process in the middle of a turn, with exit code 3",
  run: (turn) =>
    Effect.zipRight(
      turn.say("I am about to cr"),
      Stdio.exit(3, "demo-agent: crashed in the middle of a turn, as asked")
    )
}

const hang: Script = {
  name: "hang",
  description: "Never ends, and does not listen to a cancel",
  run: (turn) => turn.ignoreCancel.pipe(Effect.zipRight(turn.say("I hang. ")), Effect.zipRight(Effect.never))
}

const stay: Script = {
  name: "stay",
  description: "From now on ignores the end of stdin and SIGTERM: only SIGKILL ends it",
  run: (turn) => Effect.zipRight(turn.stay, turn.say("I stay."))
}

const garbage: Script = {
  name: "garbage",
  description: "Writes a line that is not JSON between two messages",
  run: (turn) =>
    turn.say("before ").pipe(
      Effect.zipRight(Stdio.rawLine("this line is not JSON {")),
      Effect.zipRight(turn.say("after"))
    )
}

const huge: Script = {
  name: "huge",
  hint: "bytes",
  description: "Sends one update whose line is that long",
  run: (turn) => turn.client.update(ofBytes(turn, integer(turn.argument, 1_000_000)))
}

const grandchild: Script = {
  name: "grandchild",
  description: "Leaves a process behind that ignores SIGTERM, as a tool might",
  run: (turn) => Effect.flatMap(Stdio.grandchild, (pid) => turn.say(`I left the process ${pid} behind.`))
}

const early: Script = {
  name: "early",
  description: "The next session of this process is spoken in before it is answered (HOLDFAST_DEMO=early: every one)",
  run: (turn) =>
    Effect.zipRight(
      turn.speakEarly,
      turn.say(
        "The next session/new of this process gets updates before its answer. " +
          "To have it in every session, start me with HOLDFAST_DEMO=early or demo-agent --early."
      )
    )
}

const late: Script = {
  name: "late",
  description: "Sends updates 50 to 150 ms after the end of the turn",
  run: (turn) =>
    Effect.zipRight(
      turn.say("I shall say more when it is over. "),
      turn.afterwards(
        turn.announceCommands.pipe(
          Effect.delay("50 millis"),
          Effect.zipRight(Effect.delay(turn.say("This is late."), "50 millis")),
          Effect.zipRight(Effect.delay(turn.setTitle("A late title"), "50 millis"))
        )
      )
    )
}

/** @since 0.1.0 */
export const misbehaviours: ReadonlyArray<Script> = [
  sleep,
  fail,
  crash,
  hang,
  stay,
  garbage,
  huge,
  grandchild,
  early,
  late
]

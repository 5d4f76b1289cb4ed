/**
 * What the agent of a session says, given to the runs that it belongs to: events recorded, questions asked, runs opened and ended.
 *
 * What belongs to no run that is open is recorded outside of all runs, and given to no other (RS6). So is all that is said of a run which
 * could not be opened: its name was taken, or the run that it was to be nested in is not open. A warning says so.
 *
 * @since 0.1.0
 */
import type * as Chunk from "effect/Chunk"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import type { AgentSignal } from "../agent/Agent.js"
import type { RunOutcome, SessionEvent } from "../domain/AgentEvent.js"
import type { SessionId } from "../domain/Ids.js"
import type { Draft } from "../domain/Session.js"
import type { ElicitationBridge } from "../lifecycle/ElicitationBridge.js"
import type { Lock } from "./Lock.js"
import type { OpenRuns } from "./OpenRuns.js"
import * as Ownership from "./Ownership.js"
import type { Pace } from "./Pace.js"
import * as Questions from "./Questions.js"
import * as Recorder from "./Recorder.js"
import * as Run from "./Run.js"

type Signal<Tag extends AgentSignal["_tag"]> = Extract<AgentSignal, { readonly _tag: Tag }>

/** @since 0.1.0 */
export interface Hearing {
  /** Handles the signals in order; the scope is the connection's. */
  readonly handle: (signals: Chunk.Chunk<AgentSignal>, connection: Scope.Scope) => Effect.Effect<void>
  /** Ends the run, and before it those that are nested in it (RS2). Under the lock. */
  readonly end: (run: Run.Run, outcome: RunOutcome) => Effect.Effect<void>
}

/** Whose agent is heard. @since 0.1.0 */
export interface Session {
  readonly sessionId: SessionId
  readonly runs: OpenRuns
  readonly lock: Lock
  readonly recorder: Recorder.Recorder
  readonly bridge: ElicitationBridge["Type"]
  /** How runs end when the session does; absent while it goes on. */
  readonly retired: RunOutcome | undefined
  readonly pace: Pace
}

/** A class for the sake of memory: each session has one, and most are idle. */
class Ear implements Hearing {
  private readonly ownerOf = Ownership.make()

  constructor(private readonly session: Session) {}

  end(run: Run.Run, outcome: RunOutcome): Effect.Effect<void> {
    return Effect.zipRight(
      Effect.forEach(this.session.runs.within(run), (inner) => this.endOne(inner, { _tag: "Cancelled" }), {
        discard: true
      }),
      this.endOne(run, outcome)
    ).pipe(Effect.uninterruptible)
  }

  handle(signals: Chunk.Chunk<AgentSignal>, connection: Scope.Scope): Effect.Effect<void> {
    return Effect.gen(this, function*() {
      const { pace, recorder } = this.session
      let said: Array<Signal<"Said">> = []
      for (const signal of signals) {
        if (signal._tag === "Said") {
          said.push(signal)
          continue
        }
        // what leads to a question, or is a turn's last word, is stored with it: a transaction each is most of what they cost
        if (said.length > 0) pace.lead(this.draftsOf(said))
        said = []
        switch (signal._tag) {
          case "Asked":
            yield* this.ask(signal, connection)
            break
          case "RunOpened":
            yield* this.open(signal)
            break
          case "TurnEnded":
            yield* this.ended(signal)
            break
        }
      }
      // a question may have been asked of nobody, a turn may have ended already
      yield* said.length === 0 ? recorder.letGo : pace.say(() => this.draftsOf(said), connection)
    })
  }

  private endOne(run: Run.Run, outcome: RunOutcome) {
    return Effect.gen(this, function*() {
      const { recorder, retired, runs } = this.session
      run.speaking = false
      yield* Scope.close(run.scope, Exit.void)
      yield* recorder.end({
        // an agent that fails because its session is closing has not failed
        event: { type: "RunEnded", outcome: outcome._tag === "Failed" ? retired ?? outcome : outcome },
        runId: run.id
      })
      runs.remove(run)
    })
  }

  /** To be asked for in the step that stores them or owes them: a run may end in between. */
  private draftsOf(said: ReadonlyArray<Signal<"Said">>): ReadonlyArray<Draft> {
    const { runs } = this.session
    return said.map(({ event, run }) => ({ event, runId: this.ownerOf(event, runs.speaking(run)?.id) }))
  }

  // under the lock, because it must not happen between the closing of a run's scope and its `RunEnded`
  private ask(signal: Signal<"Asked">, connection: Scope.Scope) {
    const { session } = this
    return session.lock(Effect.suspend(() => {
      const run = session.runs.speaking(signal.run)
      // a run that was told to stop is not held up by its questions
      if (run?.cancelled === true) return signal.reply(Option.none())
      // EB4: a question of a run lives in the run's scope, one of no run in the connection's
      return Questions.ask(signal, { session, runId: run?.id, scope: run?.scope ?? connection })
    }))
  }

  private warn(message: string) {
    return Effect.asVoid(this.session.recorder.say(() => [{ event: { type: "Warning", message } }]))
  }

  // under the lock, so that the run which it is nested in does not end in between
  private open({ agent, parent: from, prompt, run: id, until }: Signal<"RunOpened">) {
    const { lock, recorder, runs } = this.session
    return lock(Effect.gen(this, function*() {
      const parent = until === "parent" ? runs.speaking(from) : undefined
      if (runs.isTaken(id)) return yield* this.warn(`the agent opened the run ${id} a second time`)
      if (until === "parent" && parent === undefined) {
        return yield* this.warn(`the agent opened the run ${id} within ${from ?? "a turn"}, which is not open`)
      }
      const run = yield* Run.opened(id, prompt, parent)
      const parentRunId = parent?.id ?? from
      const event: SessionEvent = {
        type: "RunStarted",
        prompt,
        until,
        ...(parentRunId === undefined ? {} : { parentRunId }),
        ...(agent === undefined ? {} : { agent })
      }
      // RS1: to record its beginning and to owe its end are one step
      const begin = Effect.tap(recorder.begin({ event, runId: id }), () => runs.add(run))
      yield* Recorder.patiently(Effect.uninterruptible(begin))
    }))
  }

  private ended(signal: Signal<"TurnEnded">) {
    return Effect.suspend(() => {
      const { lock, runs } = this.session
      const run = runs.get(signal.run)
      if (run === undefined) return Effect.void
      const outcome = toOutcome(signal)
      return run === runs.turn
        // RS1: nothing else of the agent is looked at before `RunEnded` is recorded
        ? Effect.zipRight(Deferred.succeed(run.done, outcome), Deferred.await(run.ended))
        : lock(Effect.suspend(() => run.speaking ? this.end(run, Run.settle(run, outcome)) : Effect.void))
    })
  }
}

const toOutcome = ({ result }: Signal<"TurnEnded">): RunOutcome =>
  result._tag === "Stopped" ? { _tag: "Completed", stopReason: result.stopReason } : Run.failed(result.error)

/** @since 0.1.0 */
export const make = (session: Session): Hearing => new Ear(session)

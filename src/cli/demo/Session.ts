/**
 * One session of the demo agent: what it remembers, its settings, and its turn.
 *
 * @since 0.1.0
 */
import * as acp from "@agentclientprotocol/sdk"
import type * as FileSystem from "@effect/platform/FileSystem"
import * as Cause from "effect/Cause"
import * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as FiberId from "effect/FiberId"
import * as Option from "effect/Option"
import * as Ref from "effect/Ref"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { Client } from "./Client.js"
import { converse } from "./Conversation.js"
import * as Scripts from "./Scripts.js"
import * as Store from "./Store.js"
import { text, type Turn } from "./Turn.js"

const paces = { instant: 0, readable: 1, slow: 3 }
const isPace = (id: unknown): id is keyof typeof paces => typeof id === "string" && id in paces

const modes: Array<acp.SessionMode> = [
  { id: "plain", name: "Plain", description: "Says what is needed" },
  { id: "verbose", name: "Verbose", description: "Thinks aloud about every step" }
]

/** What a fresh session starts with. @since 0.1.0 */
export const defaults = { type: "settings", modeId: "plain", paceId: "readable" } as const

/** What all sessions of a process have in common. @since 0.1.0 */
export interface Shared {
  readonly store: Store.Store
  /** By what every pause is multiplied. */
  readonly pace: number
  /** The connection's: what runs on after a turn is forked here. */
  readonly scope: Scope.Scope
  readonly early: Ref.Ref<boolean>
  readonly stay: Effect.Effect<void>
}

/** @since 0.1.0 */
export interface Session {
  readonly client: Client
  readonly settings: Effect.Effect<{
    readonly modes: acp.SessionModeState
    readonly configOptions: Array<acp.SessionConfigOption>
  }>
  readonly announceCommands: Effect.Effect<void>
  /** What was said so far, cut into other pieces than those in which it was streamed: clients must not rely on them. */
  readonly replay: Effect.Effect<void>
  readonly prompt: (
    content: ReadonlyArray<acp.ContentBlock>
  ) => Effect.Effect<acp.PromptResponse, acp.RequestError, FileSystem.FileSystem>
  readonly cancel: Effect.Effect<void>
  readonly setMode: (modeId: string) => Effect.Effect<void, acp.RequestError>
  readonly setConfigOption: (configId: string, value: unknown) => Effect.Effect<void, acp.RequestError>
}

const now = Effect.map(DateTime.now, DateTime.formatIso)

const toText = (content: ReadonlyArray<acp.ContentBlock>) =>
  content.flatMap((block) => block.type === "text" ? [block.text] : []).join("\n")

/** An odd first piece, then large ones; code points stay whole. */
const recut = (said: string): ReadonlyArray<string> => {
  const first = /^.{0,7}/su.exec(said)?.[0] ?? ""
  return [first, ...said.slice(first.length).match(/.{1,4000}/gsu) ?? []].filter((piece) => piece !== "")
}

/** @since 0.1.0 */
export const make = Effect.fnUntraced(function*(initial: Store.Record, client: Client, shared: Shared) {
  const record = yield* Ref.make(initial)
  const alwaysAllowed = yield* Ref.make(false)
  const deaf = yield* Ref.make(false)
  const turn = yield* Ref.make(Option.none<Fiber.RuntimeFiber<acp.StopReason | void, acp.RequestError>>())

  const sessionId = initial.sessionId
  // known at once, on disk soon after
  const know = (entry: Store.Entry) => Ref.update(record, (record) => Store.step(record, entry))
  const remember = (entry: Store.Entry) => Effect.zipRight(know(entry), shared.store.append(sessionId, entry))
  const message = (type: Store.Message["type"], content: ReadonlyArray<acp.ContentBlock>) =>
    Effect.map(now, (at): Store.Message => ({ type, at, content }))
  const change = (changes: Partial<Store.Settings>) =>
    Effect.zipWith(Ref.get(record), now, ({ settings }, at) => ({ ...settings, ...changes, at })).pipe(
      Effect.flatMap(remember)
    )
  const announceCommands = client.update({
    sessionUpdate: "available_commands_update",
    availableCommands: Array.from(Scripts.commands)
  })

  const setTitle = Effect.fnUntraced(function*(title: string) {
    yield* change({ title })
    yield* client.update({ sessionUpdate: "session_info_update", title, updatedAt: yield* now })
  })

  /** What a script is given, and what it has said. */
  const makeTurn = ({ messages, settings }: Store.Record, argument: string, said: Array<string>): Turn => {
    const chunk = (piece: string): acp.SessionUpdate => ({ sessionUpdate: "agent_message_chunk", content: text(piece) })
    const say = (piece: string) => Effect.zipRight(Effect.sync(() => said.push(piece)), client.update(chunk(piece)))
    return {
      sessionId,
      cwd: settings.cwd,
      client,
      argument,
      count: messages.filter(({ type }) => type === "user").length,
      verbose: settings.modeId === "verbose",
      say,
      sayAll: (pieces) =>
        client.updates(Stream.map(pieces, (piece) => {
          said.push(piece)
          return chunk(piece)
        })),
      pause: (duration) => {
        const factor = shared.pace * (isPace(settings.paceId) ? paces[settings.paceId] : 1)
        return factor === 0 ? Effect.void : Effect.sleep(Duration.times(duration, factor))
      },
      afterwards: (effect) => Effect.asVoid(Effect.forkIn(effect, shared.scope)),
      ignoreCancel: Ref.set(deaf, true),
      stay: shared.stay,
      speakEarly: Ref.set(shared.early, true),
      setTitle,
      reportUsage: Effect.suspend(() => {
        // four characters a token, as everybody guesses
        const used = Math.ceil(JSON.stringify([messages, said]).length / 4)
        const cost = { amount: used / 1_000_000, currency: "USD" }
        return client.update({ sessionUpdate: "usage_update", used, size: 200_000, cost })
      }),
      announceCommands,
      alwaysAllowed
    }
  }

  const play = Effect.fnUntraced(function*(prompt: string, said: Array<string>) {
    const current = yield* Ref.get(record)
    return yield* Option.match(Scripts.find(prompt), {
      onNone: () => converse(makeTurn(current, "", said), prompt),
      onSome: ({ argument, script }) => script.run(makeTurn(current, argument, said))
    })
  })

  const prompt = Effect.fnUntraced(function*(content: ReadonlyArray<acp.ContentBlock>) {
    if (Option.isSome(yield* Ref.get(turn))) {
      return yield* Effect.fail(acp.RequestError.invalidRequest(undefined, "a turn of this session is open"))
    }
    const heard = yield* message("user", content)
    yield* know(heard)
    const said: Array<string> = []
    const fiber = yield* Effect.fork(play(toText(content), said))
    // nothing waits between the check and here, so a cancel always finds the turn
    yield* Ref.set(turn, Option.some(fiber))
    yield* shared.store.append(sessionId, heard)
    const exit = yield* Fiber.await(fiber)
    if (said.length > 0) yield* Effect.flatMap(message("agent", [text(said.join(""))]), remember)
    yield* Ref.set(turn, Option.none())
    const response = (stopReason: acp.StopReason): acp.PromptResponse => ({ stopReason })
    if (Exit.isSuccess(exit)) return response(exit.value ?? "end_turn")
    return Cause.isInterruptedOnly(exit.cause) ? response("cancelled") : yield* Effect.failCause(exit.cause)
  })

  const settings: Session["settings"] = Effect.map(Ref.get(record), ({ settings: { modeId, paceId } }) => ({
    modes: { currentModeId: modeId, availableModes: modes },
    configOptions: [{
      type: "select",
      id: "pace",
      name: "Pace",
      description: "How fast it talks when it holds a conversation",
      currentValue: paceId,
      options: Object.keys(paces).map((pace) => ({ value: pace, name: pace }))
    }]
  }))

  const session: Session = {
    client,
    settings,
    announceCommands,
    replay: Effect.flatMap(
      Ref.get(record),
      ({ messages }) =>
        client.updates(
          Stream.fromIterable(messages.flatMap(({ content, type }): Array<acp.SessionUpdate> =>
            type === "user"
              ? content.map((content) => ({ sessionUpdate: "user_message_chunk", content }))
              : recut(toText(content)).map((piece) => ({ sessionUpdate: "agent_message_chunk", content: text(piece) }))
          ))
        )
    ),
    prompt,
    cancel: Effect.zipWith(
      Ref.get(turn),
      Ref.get(deaf),
      (turn, deaf) => deaf || Option.isNone(turn) ? Effect.void : turn.value.interruptAsFork(FiberId.none)
    ).pipe(Effect.flatten),
    setMode: Effect.fnUntraced(function*(modeId) {
      if (!modes.some(({ id }) => id === modeId)) return yield* Effect.fail(acp.RequestError.invalidParams({ modeId }))
      yield* change({ modeId })
      yield* client.update({ sessionUpdate: "current_mode_update", currentModeId: modeId })
    }),
    setConfigOption: Effect.fnUntraced(function*(configId, value) {
      if (configId !== "pace" || !isPace(value)) {
        return yield* Effect.fail(acp.RequestError.invalidParams({ configId, value }))
      }
      yield* change({ paceId: value })
    })
  }
  return session
})

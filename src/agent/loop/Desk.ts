/**
 * One session of an agent of the loop: its runs, the agents that are up in it, and what they share.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as ExecutionStrategy from "effect/ExecutionStrategy"
import * as Fiber from "effect/Fiber"
import * as FiberId from "effect/FiberId"
import * as Scope from "effect/Scope"
import type { ContentBlock } from "../../domain/Content.js"
import * as Content from "../../domain/Content.js"
import { freshRunId, type RunId } from "../../domain/Ids.js"
import type { TurnResult } from "../Agent.js"
import * as Conversation from "./Conversation.js"
import type { Definition } from "./Definition.js"
import type { History } from "./History.js"
import type { RunHooks } from "./HookRunner.js"
import type { HookTold } from "./Hooks.js"
import type { Host, Opened } from "./Host.js"
import * as LoopRun from "./LoopRun.js"
import * as Title from "./Title.js"
import * as Toolbox from "./Toolbox.js"
import * as Turn from "./Turn.js"

/** What of an agent is the same in all sessions. @since 0.1.0 */
export interface Trained extends Pick<LoopRun.Actor, "definition" | "limits" | "models" | "judge"> {
  readonly hooks: (scope: Scope.Scope) => RunHooks
}

interface Handle {
  readonly inbox: LoopRun.Inbox
  readonly fiber: Fiber.RuntimeFiber<TurnResult>
  readonly cancel: Effect.Effect<void>
}

/** @since 0.1.0 */
export interface Desk {
  /** Brings the session's agent up before its first turn. */
  readonly start: Effect.Effect<void>
  /** A turn of the session. */
  readonly prompt: (run: RunId, content: ReadonlyArray<ContentBlock>) => Effect.Effect<void>
  /** Stops the turn that is open. */
  readonly cancel: Effect.Effect<void>
  readonly cancelRun: (run: RunId) => Effect.Effect<void>
  readonly steer: (run: RunId, content: ReadonlyArray<ContentBlock>) => Effect.Effect<boolean>
  /** Gives the session's further turns to another agent. */
  readonly handOver: (definition: Definition) => void
}

/**
 * Everything of it lives in the scope. Closing it ends the runs, then the agents, with the hooks of the session's end, and their tools,
 * and waits for what is left of hooks.
 *
 * @since 0.1.0
 */
export const make = Effect.fnUntraced(function*(options: {
  readonly place: LoopRun.Place
  readonly active: Definition
  readonly history: History
  readonly how: "opened" | "loaded"
  readonly train: (definition: Definition) => Trained
}) {
  const { history, how, place, train } = options
  const { cwd, sessionId, voice } = place
  const scope = yield* Effect.scope
  // closed in the other order: the runs first
  const hooking = yield* Scope.fork(scope, ExecutionStrategy.parallel)
  const tools = yield* Scope.fork(scope, ExecutionStrategy.sequential)
  const working = yield* Scope.fork(scope, ExecutionStrategy.parallel)
  const runs = new Map<RunId, Handle>()
  const up = new Map<Definition, Effect.Effect<LoopRun.Actor>>()
  const background = new Map<string, Opened>()
  let active = options.active
  let turn: RunId | undefined
  let { unheard } = history
  let titled = history.titled
  let { cost } = history

  const warn = (message: string, detail?: string) => voice.say(undefined, [{ type: "Warning", message, detail }])

  const bringUp = (definition: Definition) =>
    Effect.gen(function*() {
      const trained = train(definition)
      const run = trained.hooks(hooking)
      const hooks = (told: HookTold) => run({ ...told, sessionId, agent: definition.name, cwd }, warn)
      const box = yield* Toolbox.open(definition.tools ?? [], { sessionId, cwd, warn })
      // `Effect.addFinalizer` would keep all that this fiber knows for as long as the session is there
      yield* Scope.addFinalizer(tools, Effect.uninterruptible(hooks({ point: "SessionEnd" })))
      const { context: preamble } = yield* hooks({ point: "SessionStart", how })
      return { ...trained, hooks: run, tools: box, preamble }
    }).pipe(Scope.extend(tools), Effect.interruptible)

  // a fiber of the session's own: interrupting a run that waits for it stops nothing that others wait for
  const actor = (definition: Definition): Effect.Effect<LoopRun.Actor> =>
    Effect.uninterruptibleMask((restore) =>
      Effect.gen(function*() {
        const there = up.get(definition)
        if (there !== undefined) return yield* restore(there)
        const fiber = yield* Effect.forkIn(bringUp(definition), tools)
        up.set(definition, Fiber.join(fiber))
        fiber.addObserver((exit) => up.set(definition, exit))
        return yield* restore(Fiber.join(fiber))
      })
    )

  /** The run has begun; it ends by itself, by `cancel`, or with the scope. */
  const launch = (run: {
    readonly id: RunId
    readonly definition: Definition
    readonly waiting: ReadonlyArray<LoopRun.Actor>
    readonly conversation: Conversation.Conversation
    readonly inbox: LoopRun.Inbox
    readonly prompt: ReadonlyArray<ContentBlock>
  }) =>
    Effect.uninterruptible(Effect.gen(function*() {
      let cancelled = false
      const body = Effect.flatMap(actor(run.definition), (actor) =>
        Turn.make(LoopRun.make({ ...run, place, actor }), host, run.prompt))
      const fiber = yield* Effect.forkIn(
        voice.run(run.id, body, () =>
          cancelled),
        working
      )
      const handle: Handle = {
        inbox: run.inbox,
        fiber,
        cancel: Effect.suspend(() => {
          cancelled = true
          return fiber.interruptAsFork(FiberId.none)
        })
      }
      runs.set(run.id, handle)
      fiber.addObserver(() => runs.delete(run.id))
      return handle
    }))

  const host: Host = {
    actor,
    background,
    open: ({ by, definition, task, until }) =>
      Effect.uninterruptible(Effect.gen(function*() {
        const id = yield* freshRunId
        const prompt = [Content.text(task)]
        const conversation = Conversation.make()
        yield* voice.open({ run: id, parent: by.id, until, agent: definition.name, prompt })
        const waiting = [...by.waiting, by.actor]
        const { cancel, fiber } = yield* launch({
          id,
          definition,
          waiting,
          conversation,
          inbox: { messages: [] },
          prompt
        })
        let over: TurnResult | undefined
        const opened: Opened = {
          id,
          agent: definition.name,
          task,
          result: Fiber.join(fiber),
          over: () => over,
          text: conversation.lastText,
          cancel
        }
        fiber.addObserver((exit) => {
          if (exit._tag === "Success") over = exit.value
        })
        return opened
      })),
    handOver: (run, actor) => {
      run.actor = actor
      if (run.waiting.length === 0) active = actor.definition
    },
    usage: (model, { cached, input, output }) => {
      const { price } = model
      if (price !== undefined) {
        const { cachedInput = price.input, currency = "USD" } = price
        const paid = ((input - cached) * price.input + cached * cachedInput + output * price.output) / 1e6
        cost = { amount: (cost?.currency === currency ? cost.amount : 0) + paid, currency }
      }
      const used = { type: "UsageUpdated", used: input + output, size: model.contextSize } as const
      return cost === undefined ? used : { ...used, cost }
    }
  }

  const entitle = (content: ReadonlyArray<ContentBlock>) =>
    Effect.suspend(() => {
      const { titles = "prompt" } = options.active
      if (titled || titles === "off") return Effect.void
      titled = true
      const say = (title: string) => voice.say(undefined, [{ type: "TitleChanged", title }])
      return titles === "prompt"
        ? say(Title.ofPrompt(content))
        : Effect.forkIn(
          Effect.interruptible(Effect.flatMap(Title.ask(train(options.active).models, content), say)),
          working
        )
    })

  const desk: Desk = {
    start: Effect.asVoid(Effect.forkIn(Effect.interruptible(Effect.suspend(() => actor(active))), tools)),
    prompt: (id, prompt) =>
      Effect.uninterruptible(Effect.gen(function*() {
        const inbox: LoopRun.Inbox = { messages: unheard }
        const { fiber } = yield* launch({
          id,
          definition: active,
          waiting: [],
          conversation: history.conversation,
          inbox,
          prompt
        })
        turn = id
        fiber.addObserver(() => {
          // what was taken and not told to the model any more is told in the next turn
          unheard = inbox.messages ?? []
          inbox.messages = undefined
          if (turn === id) turn = undefined
        })
        yield* entitle(prompt)
      })),
    cancel: Effect.suspend(() => turn === undefined ? Effect.void : desk.cancelRun(turn)),
    cancelRun: (run) => Effect.suspend(() => runs.get(run)?.cancel ?? Effect.void),
    steer: (run, content) =>
      Effect.sync(() => {
        const inbox = runs.get(run)?.inbox
        if (inbox?.messages === undefined) return false
        inbox.messages = [...inbox.messages, content]
        return true
      }),
    handOver: (definition) => {
      active = definition
    }
  }
  return desk
})

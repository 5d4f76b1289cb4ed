/** What is wrong with a session, going by its log and by what its questions were answered. Pure. */
import { type Answered, faultOfText, holds, isSame, type Question, type Reply } from "./Answers.js"
import type { Event } from "./Client.js"

/** An answer that was sent, and what came back. */
export interface Attempt {
  /** The session in the request's path, and the question. */
  readonly session: string
  readonly question: Question
  readonly reply: Reply
  /** Whether the reply fits the question's form. */
  readonly fits: boolean
  /** 0 when no response came. */
  readonly status: number
  readonly tag?: string | undefined
  /** How the question had ended, as a 409 says. */
  readonly outcome?: unknown
}

/** A restart that was asked for, `requested` or `changed`, and was accepted. */
export interface Demand {
  readonly session: string
  /** The last event that was seen when it was asked for. */
  readonly after: number
  /** The last event when it was over, where it was waited for. */
  readonly before?: number | undefined
  /** When it was asked for, in milliseconds. */
  readonly at: number
}

/** Says what is wrong with the response to an answer, whatever became of the question. */
export const faultOfAttempt = ({ fits, question, session, status, tag }: Attempt): string | undefined => {
  const foreign = session !== question.sessionId
  const right = foreign
    ? tag === "ElicitationNotFound"
    : tag === "ElicitationAlreadySettled" || (fits ? status === 200 : tag === "ElicitationAnswerInvalid")
  return right
    ? undefined
    : `${question.id}: ${
      foreign ? "an answer by another session" : fits ? "an answer" : "an answer that does not fit"
    } ` +
      `got ${status} ${tag ?? ""}`.trimEnd()
}

interface Asked {
  readonly question: Question
  readonly run: string | undefined
  outcome?: Settled["outcome"]
}

type Settled = Extract<Event["event"], { readonly type: "ElicitationSettled" }>

interface Run {
  readonly script: string
  text: string
  ended: boolean
}

/** Sequence numbers without holes, and everything that begins ends once and in order (EL1, RS1, RS2, RS5, EB2). */
class Reader {
  readonly faults: Array<string> = []
  readonly asked = new Map<string, Asked>()
  private readonly runs = new Map<string, Run>()
  private readonly queued = new Set<string>()
  private open: string | undefined
  private head = 0
  private restarting = false
  private closed = false

  constructor(private readonly session: string) {}

  private fault(what: string) {
    this.faults.push(`${this.session} event ${this.head}: ${what}`)
  }

  read(stored: Event) {
    const { event, runId, seq } = stored
    if (seq !== this.head + 1) this.fault(`the next event is ${seq}`)
    this.head = seq
    if (stored.sessionId !== this.session) this.fault(`it is an event of ${stored.sessionId}`)
    if (this.closed) this.fault(`${event.type} came after the session's end`)
    if ((seq === 1) !== (event.type === "SessionOpened")) this.fault(`${event.type} is not in its place`)
    if (
      runId !== undefined && event.type !== "RunStarted" && event.type !== "RunQueued" && event.type !== "RunDropped"
    ) {
      const run = this.runs.get(runId)
      if (run === undefined) this.fault(`${event.type} is of ${runId}, which has not started`)
      else if (run.ended) this.fault(`${event.type} is of ${runId}, which has ended`)
      else if (event.type === "TextChunk") run.text += event.text
    }
    switch (event.type) {
      case "SessionClosed":
        this.closed = true
        return this.end()
      case "RunQueued":
        this.queued.add(runId ?? "")
        return
      case "RunDropped":
        if (!this.queued.delete(runId ?? "")) this.fault(`${runId} was dropped and not queued`)
        return
      case "RunStarted": {
        if (runId === undefined || this.runs.has(runId)) return this.fault(`${runId} started twice`)
        if (this.open !== undefined) this.fault(`${runId} started while ${this.open} was open`)
        const [block] = event.prompt
        const script = block?.type === "text" ? block.text.split(" ")[0] ?? "" : ""
        this.open = runId
        this.queued.delete(runId)
        this.runs.set(runId, { script, text: "", ended: false })
        return
      }
      case "RunEnded": {
        const run = this.runs.get(runId ?? "")
        if (run === undefined || run.ended) return
        run.ended = true
        this.open = undefined
        const asked = [...this.asked.values()].filter((question) => question.run === runId)
        for (const { outcome, question } of asked) {
          if (outcome === undefined) this.fault(`${runId} ended before its question ${question.id}`)
        }
        if (event.outcome._tag === "Completed") this.complete(runId ?? "", run, asked)
        return
      }
      case "ElicitationRequested": {
        const question = event.elicitation
        if (this.asked.has(question.id)) this.fault(`${question.id} was asked twice`)
        if (question.sessionId !== this.session) this.fault(`${question.id} is of session ${question.sessionId}`)
        this.asked.set(question.id, { question, run: runId })
        return
      }
      case "ElicitationSettled": {
        const asked = this.asked.get(event.elicitationId)
        if (asked === undefined) return this.fault(`${event.elicitationId} was settled and not asked`)
        if (asked.outcome !== undefined) this.fault(`${event.elicitationId} was settled twice`)
        if (asked.run !== runId) this.fault(`${event.elicitationId} was asked in ${asked.run} and settled in ${runId}`)
        asked.outcome = event.outcome
        return
      }
      case "AgentRestarting":
        if (this.restarting) this.fault("a restart began while another one was under way")
        this.restarting = true
        return
      case "AgentRestarted":
      case "AgentRestartFailed":
        if (!this.restarting) this.fault(`${event.type} without AgentRestarting`)
        this.restarting = false
    }
  }

  /** What an agent has read of the answers must be what was answered, each to its own question (EB3). */
  private complete(id: string, { script, text }: Run, asked: ReadonlyArray<Asked>) {
    const answered = asked.flatMap(({ outcome, question }): ReadonlyArray<Answered> =>
      outcome?._tag === "Answered" ? [{ question, reply: outcome as Reply }] : []
    )
    // what an agent says after its turn may fall into the next one, where nothing tells them apart
    const fault = faultOfText(script, text.replace("This is late.", ""), answered)
    if (fault !== undefined) this.fault(`${id} ${script}: ${fault}`)
  }

  private end() {
    if (this.open !== undefined) this.fault(`${this.open} was never ended`)
    if (this.restarting) this.fault("a restart was never ended")
    for (const run of this.queued) this.fault(`${run} was queued and never started`)
    for (const [id, { outcome }] of this.asked) if (outcome === undefined) this.fault(`${id} was never settled`)
  }

  finish() {
    if (!this.closed) this.fault("the log ends without SessionClosed")
  }
}

/** Whether what was answered to the client and what is in the log are the same story. */
const faultsOfAnswers = (id: string, outcome: Settled["outcome"] | undefined, attempts: ReadonlyArray<Attempt>) => {
  const faults: Array<string> = []
  const accepted = attempts.filter(({ status }) => status === 200)
  const was = JSON.stringify(outcome)
  const isOf = ({ reply }: Attempt) =>
    outcome?._tag === "Answered" && outcome.action === reply.action &&
    (reply.content === undefined || holds(outcome.content ?? {}, reply.content))
  if (accepted.length > 1) faults.push(`${id}: ${accepted.length} answers were accepted`)
  for (const attempt of accepted) {
    if (!isOf(attempt)) faults.push(`${id}: ${JSON.stringify(attempt.reply)} was accepted, and the log has ${was}`)
  }
  if (outcome?._tag === "Answered" && outcome.by === undefined && accepted.length === 0) {
    // an answer without a response may have arrived
    const unheard = attempts.some((attempt) => attempt.status === 0 && isOf(attempt))
    if (!unheard) faults.push(`${id}: the log has ${was}, and no answer was accepted`)
  }
  for (const { outcome: told } of attempts) {
    if (told !== undefined && !isSame(told, outcome)) {
      faults.push(`${id}: a late answer was told ${JSON.stringify(told)}, and the log has ${was}`)
    }
  }
  return faults
}

/** So long before the end a restart may still wait for another one, and is never carried out. In milliseconds. */
const tooLate = 30_000

/** For every such restart a cycle starts after it (RC2), and who waited for it has waited for that one (RC4). */
const faultsOfDemands = (session: string, events: ReadonlyArray<Event>, demands: ReadonlyArray<Demand>) => {
  const end = Date.parse(events.at(-1)?.at ?? "")
  const starts = events.filter(({ event }) => event.type === "AgentRestarting").map(({ seq }) => seq)
  return demands.flatMap(({ after, at, before = Infinity }) =>
    (before === Infinity && at >= end - tooLate) || starts.some((seq) => seq > after && seq < before)
      ? []
      : [`${session}: of a restart that was asked for after event ${after} nothing began before event ${before}`]
  )
}

/** All faults of one session. */
export const judge = (
  session: string,
  events: ReadonlyArray<Event>,
  attempts: ReadonlyArray<Attempt>,
  demands: ReadonlyArray<Demand> = []
): ReadonlyArray<string> => {
  const reader = new Reader(session)
  for (const event of events) reader.read(event)
  reader.finish()
  const byQuestion = new Map<string, Array<Attempt>>()
  for (const attempt of attempts) {
    const { id } = attempt.question
    byQuestion.set(id, [...byQuestion.get(id) ?? [], attempt])
  }
  return [
    ...reader.faults,
    ...[...reader.asked].flatMap(([id, { outcome }]) => faultsOfAnswers(id, outcome, byQuestion.get(id) ?? [])),
    ...faultsOfDemands(session, events, demands)
  ]
}

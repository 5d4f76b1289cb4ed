/** The people: they take the open questions in random order, and do not always do as they should. */
import { badReplyTo, type Question, type Reply, replyTo } from "./Answers.js"
import { type Attempt, faultOfAttempt } from "./Verdict.js"
import type { World } from "./World.js"

/** How a question is answered: once, as it should be, or with something wrong besides. */
const ways = {
  once: 80,
  /** By two people at the same time: one of them is told. */
  twice: 8,
  /** And once again, when it is over. */
  late: 5,
  /** First with what does not fit. */
  badly: 5,
  /** First under the name of another session. */
  elsewhere: 4
}

/** Answers `questions` in `millis`, evenly; returns when so many were accepted, or when the soak stops. */
export const run = async (world: World, options: {
  readonly questions: number
  readonly millis: number
  readonly sessions: ReadonlyArray<string>
}): Promise<void> => {
  const { attempts, client, counts, fault, open } = world
  const { millis, questions, sessions } = options
  const random = world.random("answers")
  const busy = new Set<Promise<void>>()
  // nobody takes a question that somebody has
  const taken = new Set<string>()

  const send = async (question: Question, reply: Reply, fits = true, session: string = question.sessionId) => {
    const told = await client.call("POST", `/v1/sessions/${session}/elicitations/${question.id}`, reply).catch(
      (error) => {
        fault(`${question.id}: no response to an answer: ${error}`)
        return { status: 0, body: undefined }
      }
    )
    const { status, body } = told
    const attempt: Attempt = { session, question, reply, fits, status, tag: body?._tag, outcome: body?.outcome }
    attempts.push(attempt)
    if (status === 200) counts.answered++
    const wrong = status === 0 ? undefined : faultOfAttempt(attempt)
    if (wrong !== undefined) fault(wrong)
  }

  const answer = async (question: Question) => {
    const reply = replyTo(question)
    const way = random.weighted(ways)
    const bad = badReplyTo(question)
    const other = random.pick(sessions.filter((id) => id !== question.sessionId))
    if (way === "badly" && bad !== undefined) await send(question, bad, false)
    if (way === "elsewhere" && other !== undefined) await send(question, reply, true, other)
    await Promise.all(way === "twice" ? [send(question, reply), send(question, reply)] : [send(question, reply)])
    if (way === "late") {
      await world.sleep(random.gap(1000))
      await send(question, reply)
    }
  }

  const start = Date.now()
  while (!world.stopping() && counts.answered < questions) {
    const due = Math.min(questions, questions * (Date.now() - start) / millis)
    const question = counts.answered + busy.size < due && busy.size < 32
      ? random.pick([...open.values()].filter(({ id }) => !taken.has(id)))
      : undefined
    if (question === undefined) {
      await world.sleep(10)
      continue
    }
    taken.add(question.id)
    const work: Promise<void> = answer(question).finally(() => busy.delete(work))
    busy.add(work)
  }
  await Promise.all(busy)
}

import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type { SessionEvent } from "../../src/domain/AgentEvent.js"
import { RunId } from "../../src/domain/Ids.js"
import { id, memoryLog, session, start } from "../gateway/fixture.js"
import * as Browser from "./browser.js"
import { page as console } from "./scripted.js"

Browser.forFile()

const timeout = 180_000

const paragraph = "The holdfast grips the rock, and the frond above it gives way to every wave without letting go. "
const code = "```ts\nconst grip = (rock: Rock) => rock.hold({ surf: Infinity })\n```\n\n"
const file = Array.from({ length: 40 }, (_, n) => `line ${n}`).join("\n")

/** One run as a real agent fills it: 50 events. */
const runOf = (n: number): ReadonlyArray<SessionEvent> => [
  { type: "RunStarted", prompt: [{ type: "text", text: `prompt ${n}` }] },
  ...Array.from({ length: 5 }, (): SessionEvent => ({ type: "ThoughtChunk", text: "I wonder. " })),
  ...Array.from({ length: 12 }, (): SessionEvent => ({ type: "TextChunk", text: paragraph })),
  { type: "TextChunk", text: `\n\n${code}- one\n- two\n\n` },
  { type: "PlanUpdated", entries: [{ content: "hold on", priority: "high", status: "in_progress" }] },
  ...Array.from({ length: 6 }, (_, call): ReadonlyArray<SessionEvent> => {
    const toolCallId = `${n}-${call}`
    return [
      { type: "ToolCallStarted", toolCallId, title: `Call ${toolCallId}`, kind: "edit", status: "pending" },
      { type: "ToolCallUpdated", toolCallId, status: "in_progress" },
      {
        type: "ToolCallEnded",
        toolCallId,
        status: "completed",
        content: [{
          type: "diff",
          path: `/project/${toolCallId}.txt`,
          oldText: file,
          newText: file.replace("line 7", "line seven")
        }]
      }
    ]
  }).flat(),
  ...Array.from({ length: 10 }, (): SessionEvent => ({ type: "TextChunk", text: paragraph })),
  { type: "UsageUpdated", used: n, size: 1000 },
  { type: "RunEnded", outcome: { _tag: "Completed", stopReason: "end_turn" } }
]

const runs = 410

/** A gateway whose one session has a long life behind it. */
const grown = Effect.gen(function*() {
  const log = memoryLog()
  const push = (event: SessionEvent, run: number) => {
    const seq = log.entries.length + 1
    const stored = { seq, sessionId: id, runId: RunId.make(`run_${run}`), at: session.createdAt, event }
    log.entries.push({ seq, type: event.type, json: JSON.stringify(stored) })
  }
  push({ type: "SessionOpened", agent: "scripted", cwd: "/project", title: "A long life" }, 0)
  push({ type: "AgentConnected", how: "opened" }, 0)
  for (let n = 1; n <= runs; n++) for (const event of runOf(n)) push(event, n)
  const told = () => ({ ...session, title: "A long life", head: log.entries.length })
  const gateway = yield* start(
    { ...log.sessions, get: () => Effect.sync(told), list: () => Effect.sync(() => [told()]) },
    { console }
  )
  return { gateway, log }
})

/** What the page had to do at one go, in milliseconds, and how large it is. */
const watch =
  "window.tasks = []; new PerformanceObserver((list) => window.tasks.push(...list.getEntries().map((e) => e.duration))).observe({ type: 'longtask', buffered: true })"
const elements = "document.querySelectorAll('*').length"

describe("a history of 20,000 events", () => {
  it.scopedLive(
    "is read, followed and scrolled through without a jam, and only what is in view is in the page",
    () =>
      Effect.gen(function*() {
        const { gateway, log } = yield* grown
        expect(log.entries.length).toBeGreaterThan(20_000)
        const { page } = yield* Browser.open()
        const tasks = yield* Browser.act(async () => {
          await page.addInitScript(watch)
          await page.goto(`${gateway.url}/#/${id}`)
          const list = page.getByRole("region", { name: "Conversation" })
          const size = async () => page.evaluate<number>(elements)

          // at its end, in which the last run is
          await list.getByText(`Call ${runs}-5`).waitFor()
          expect(await size()).toBeLessThan(3_000)
          const end = () => list.evaluate((box) => box.scrollHeight - box.scrollTop - box.clientHeight)
          await expect.poll(end, { timeout: 30_000 }).toBeLessThan(50)

          // what comes is seen without a hand, also if much comes at once
          log.append(2_000, "word ")
          log.append(1, "THE LAST WORD")
          await list.getByText("THE LAST WORD").waitFor()
          expect(await size()).toBeLessThan(3_000)

          // through all of it, and to its beginning
          await list.hover()
          // a hand turns until it is where it wants to be: what is above may be higher or lower than it was thought to be
          const wanted = list.getByText(`Call ${runs - 8}-5`)
          const turn = async () => {
            const shown = await list.getByText(/Call \d+-\d/).allTextContents()
            const passed = shown.length > 0 && shown.every((text) => Number(/Call (\d+)-/.exec(text)?.[1]) < runs - 8)
            await page.mouse.wheel(0, passed ? 500 : -1_000)
            return wanted.count()
          }
          await expect.poll(turn, { timeout: 60_000, interval: 100 }).toBeGreaterThan(0)
          expect(await size()).toBeLessThan(3_000)
          await page.getByRole("button", { name: "Latest" }).waitFor()
          await list.focus()
          await page.keyboard.press("Home")
          await list.getByText("prompt 1", { exact: true }).waitFor()
          expect(await size()).toBeLessThan(3_000)

          // whoever reads above is left there
          log.append(1, "A LATER WORD")
          await page.waitForTimeout(300)
          expect(await list.getByText("prompt 1", { exact: true }).isVisible()).toBe(true)
          await page.getByRole("button", { name: "Latest" }).click()
          await list.getByText("A LATER WORD").waitFor()

          await page.getByRole("link", { name: "Log", exact: true }).click()
          await page.getByText(
            `${log.entries.length.toLocaleString("en")} of ${log.entries.length.toLocaleString("en")}`
          ).waitFor()
          await page.getByLabel("Filter by text").fill("prompt 17")
          await page.getByText(/^11 of /).waitFor()
          expect(await size()).toBeLessThan(3_000)
          return page.evaluate<ReadonlyArray<number>>("window.tasks")
        })
        const longest = Math.max(0, ...tasks)
        // generous: the machine may be busy with others
        expect(longest).toBeLessThan(5_000)
      }),
    timeout
  )
})

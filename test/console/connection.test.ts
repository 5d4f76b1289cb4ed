import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import type { Page } from "playwright-core"
import * as Program from "../program.js"
import * as Browser from "./browser.js"
import * as Cable from "./cable.js"
import * as Scripted from "./scripted.js"

Browser.forFile()

const timeout = 180_000

const conversation = (page: Page) => page.getByRole("region", { name: "Conversation" })
const notConnected = (page: Page) => page.getByText("Not connected")

/** The texts of the conversation, in the order in which they stand. */
const texts = async (page: Page) => (await conversation(page).locator("[data-kind=message]").allInnerTexts()).join("")

/** Counts, one a tick, and waits at each number that is asked for. */
const counting = (upTo: number) =>
  Scripted.gateway(({ say }) =>
    Effect.forEach(
      Array.from({ length: upTo }, (_, n) => n + 1),
      (n) => Effect.delay(say({ type: "TextChunk", text: `${n} ` }), "10 millis"),
      { discard: true }
    )
  )

const counted = (upTo: number) => Array.from({ length: upTo }, (_, n) => n + 1).join(" ")

describe("the connection", () => {
  it.scopedLive(
    "is cut in the middle of a stream and mended: everything is there once and in order, and nobody had to do anything",
    () =>
      Effect.gen(function*() {
        const gateway = yield* counting(400)
        const cable = yield* Cable.make(gateway.port)
        const { page } = yield* Browser.open()
        yield* Browser.act(async () => {
          await page.goto(cable.url)
          await Browser.begin(page, "count")
          for (const seen of ["20 ", "100 "]) {
            await conversation(page).getByText(seen).waitFor()
            const before = cable.connections()
            cable.cut()
            cable.mend()
            await expect.poll(cable.connections, { timeout: 30_000 }).toBeGreaterThan(before)
          }
          await Browser.runsEnded(page, 1)
          expect((await texts(page)).trim()).toBe(counted(400))
          expect(await notConnected(page).count()).toBe(0)
        })
      }),
    timeout
  )

  it.scopedLive(
    "that stays cut is told, keeps what was written, sends it once when it is mended, and can be hurried",
    () =>
      Effect.gen(function*() {
        const data = yield* Program.temporary
        const gateway = yield* Program.gateway(data, { HOLDFAST_DEMO_STATE: `${data}/demo` })
        const cable = yield* Cable.make(Number(new URL(gateway.url).port))
        const { page } = yield* Browser.open()
        const id = yield* Browser.act(async () => {
          await page.goto(cable.url)
          const id = await Browser.begin(page, "/think")
          await Browser.runsEnded(page, 1)
          cable.cut()
          await notConnected(page).waitFor()
          await page.getByText(/trying again/).waitFor()
          await Browser.say(page, "/plan")
          await page.getByText("The gateway does not answer. Your text is still here").waitFor()
          expect(await page.getByLabel("Message to the agent").inputValue()).toBe("/plan")
          // what was said before is still there to be read
          expect(await texts(page)).toContain("42")

          cable.mend()
          await page.getByRole("button", { name: "Try now" }).click({ timeout: 5000 }).catch(() => {})
          await notConnected(page).waitFor({ state: "detached" })
          await page.getByLabel("Message to the agent").press("Enter")
          await conversation(page).getByText("Everything went according to plan.").waitFor()
          return id
        })
        const history = yield* gateway.history(id)
        expect(history.filter(({ event }) => event.type === "RunStarted")).toHaveLength(2)
      }),
    timeout
  )

  it.scopedLive(
    "outlives a restart of the gateway: the session is taken up where it was, and a run that was lost is told",
    () =>
      Effect.gen(function*() {
        const data = yield* Program.temporary
        const env = { HOLDFAST_DEMO_STATE: `${data}/demo` }
        const port = yield* Program.ownPort
        const first = yield* Program.gateway(data, env, port)
        const { page } = yield* Browser.open()
        yield* Browser.act(async () => {
          await page.goto(first.url)
          await Browser.begin(page, "/think")
          await Browser.runsEnded(page, 1)
          await Browser.say(page, "/sleep 600")
          await conversation(page).getByText("I sleep for 600 s.").waitFor()
        })
        first.process.kill("SIGKILL")
        yield* first.exited
        yield* Browser.act(() => notConnected(page).waitFor())
        const second = yield* Program.start(["serve", "--port", String(port), "--data", data], { cwd: data, env })
        yield* Program.eventually(() => second.output().stdout.includes("listening on"))
        yield* Browser.act(async () => {
          await Browser.runsEnded(page, 2)
          await notConnected(page).waitFor({ state: "detached" })
          await conversation(page).getByText(/The run was lost/).waitFor()
          await Browser.say(page, "/plan")
          await conversation(page).getByText("Everything went according to plan.").waitFor()
          expect(await conversation(page).getByText("I have thought about it: 42.").count()).toBe(1)
        })
      }),
    timeout
  )

  it.scopedLive("is let go of while nobody looks, and taken up where it was", () =>
    Effect.gen(function*() {
      const gateway = yield* counting(300)
      const { page } = yield* Browser.open()
      yield* Browser.act(async () => {
        const streams: Array<string> = []
        page.on("request", (request) => request.url().includes("/events?") && streams.push(request.url()))
        await page.clock.install()
        await page.goto(gateway.url)
        await Browser.begin(page, "count")
        await conversation(page).getByText("20 ").waitFor()
        const look = (state: string) =>
          page.evaluate(
            `Object.defineProperty(document, "visibilityState", { value: "${state}", configurable: true }); ` +
              "document.dispatchEvent(new Event(\"visibilitychange\"))"
          )
        const failed = page.waitForEvent("requestfailed", (request) => request.url().includes("/events?"))
        await look("hidden")
        await page.clock.fastForward(25_000)
        await failed
        await look("visible")
        await Browser.runsEnded(page, 1)
        expect((await texts(page)).trim()).toBe(counted(300))
        expect(streams).toHaveLength(2)
        expect(streams[1]).not.toMatch(/after=0$/)
      })
    }), timeout)
})

describe("a token", () => {
  it.scopedLive("is asked for, refused when it is wrong, and kept for the tab", () =>
    Effect.gen(function*() {
      const gateway = yield* Scripted.gateway(({ say }) => say({ type: "TextChunk", text: "inside" }), {
        token: Redacted.make("open-sesame")
      })
      const { page } = yield* Browser.open()
      yield* Browser.act(async () => {
        await page.goto(gateway.url)
        await page.getByRole("heading", { name: "This gateway wants a token" }).waitFor()
        await page.getByLabel("Token").fill("open-barley")
        await page.getByRole("button", { name: "Open" }).click()
        await page.getByText("That is not the right token.").waitFor()
        expect(await page.getByLabel("Token").getAttribute("aria-invalid")).toBe("true")
        expect(await page.evaluate("sessionStorage.getItem('holdfast.token')")).toBeNull()
        await page.getByLabel("Token").fill("open-sesame")
        await page.getByLabel("Token").press("Enter")
        await page.getByText("Nothing runs here yet").waitFor()
        // the stream, too, carries it
        await Browser.begin(page, "hello")
        await conversation(page).getByText("inside").waitFor()
        await page.reload()
        await conversation(page).getByText("inside").waitFor()
        expect(await page.evaluate("localStorage.length + document.cookie.length")).toBe(0)
      })
    }), timeout)
})

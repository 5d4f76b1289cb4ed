import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type { Page, Route } from "playwright-core"
import * as Content from "../../src/domain/Content.js"
import * as Browser from "./browser.js"
import * as Scripted from "./scripted.js"

Browser.forFile()

const timeout = 180_000
const patience = { timeout: 30_000 }

const opened = Effect.gen(function*() {
  const gateway = yield* Scripted.gateway(({ ask, content, say }) =>
    Content.toText(content) === "ask"
      ? ask({ kind: "confirmation", message: "Shall I?" })
      : say({ type: "TextChunk", text: "done" })
  )
  const { page } = yield* Browser.open()
  yield* Browser.act(() => page.goto(gateway.url))
  const create = async (title?: string): Promise<string> => {
    const data = { agent: "scripted", ...title === undefined ? {} : { title } }
    const response = await page.request.post(`${gateway.url}/v1/sessions`, { data })
    return (await response.json()).id
  }
  return { gateway, page, create }
})

const box = (page: Page) => page.getByLabel("Message to the agent")

/** What the gateway got, its answer being held back until `pass`, or lost. */
const held = async (page: Page, path: string) => {
  const routes: Array<Route> = []
  let holding = true
  await page.route(path, async (route) => {
    if (!holding || route.request().method() !== "POST") return route.continue()
    routes.push(route)
  })
  return {
    count: () => routes.length,
    pass: async () => {
      holding = false
      await Promise.all(routes.map((route) => route.continue()))
    },
    lose: async () => {
      holding = false
      await Promise.all(routes.map(async (route) => {
        await route.fetch()
        await route.abort()
      }))
    }
  }
}

describe("who is faster than the gateway", () => {
  it.scopedLive("loses nothing that was typed while a message was on its way", () =>
    Effect.gen(function*() {
      const { create, gateway, page } = yield* opened
      yield* Browser.act(async () => {
        await page.goto(`${gateway.url}/#/${await create()}`)
        const runs = await held(page, "**/runs")
        await Browser.say(page, "one")
        await expect.poll(runs.count, patience).toBe(1)
        await box(page).pressSequentially(" and two")
        await runs.pass()
        await Browser.runsEnded(page, 1)
        await expect.poll(() => box(page).inputValue(), patience).toBe("and two")
        expect(await page.locator("[data-kind=prompt]").allInnerTexts()).toStrictEqual([expect.stringContaining("one")])
      })
    }), timeout)

  it.scopedLive(
    "sends a message once, though it was not known whether it arrived and another session was looked at",
    () =>
      Effect.gen(function*() {
        const { create, gateway, page } = yield* opened
        yield* Browser.act(async () => {
          const id = await create("this one")
          await create("the other")
          await page.goto(`${gateway.url}/#/${id}`)
          const runs = await held(page, "**/runs")
          await Browser.say(page, "once")
          await expect.poll(runs.count, patience).toBe(1)
          await runs.lose()
          await page.getByText("The gateway does not answer").waitFor()
          await page.getByRole("link", { name: "the other" }).click()
          await page.getByRole("heading", { level: 1, name: "the other" }).waitFor()
          await page.getByRole("link", { name: "this one" }).click()
          await page.getByRole("heading", { level: 1, name: "this one" }).waitFor()
          await expect.poll(() => box(page).inputValue(), patience).toBe("once")
          await box(page).press("Enter")
          await expect.poll(() => box(page).inputValue(), patience).toBe("")
          await Browser.say(page, "again")
          await Browser.runsEnded(page, 2)
          expect(await page.locator("[data-kind=prompt]").count()).toBe(2)
        })
      }),
    timeout
  )

  it.scopedLive(
    "starts one session, though it was asked for twice, and may go elsewhere meanwhile",
    () =>
      Effect.gen(function*() {
        const { gateway, page } = yield* opened
        yield* Browser.act(async () => {
          await page.goto(`${gateway.url}/#/new`)
          await page.getByRole("radio").first().waitFor()
          const sessions = await held(page, "**/v1/sessions")
          await page.getByLabel("First message").fill("hello")
          await page.getByLabel("First message").press("Enter")
          await page.getByRole("button", { name: /^Starting/ }).waitFor()
          await page.getByLabel("First message").press("Enter")
          await page.getByRole("link", { name: "Holdfast", exact: true }).click()
          await expect.poll(sessions.count, patience).toBe(1)
          await sessions.pass()
          await page.getByRole("navigation", { name: "Sessions" }).getByRole("link", { name: /Untitled/ }).waitFor()
          expect(page.url()).toMatch(/#\/$/)
        })
      }),
    timeout
  )
})

describe("who was writing", () => {
  it.scopedLive("can take along what was written when somebody else closes the session", () =>
    Effect.gen(function*() {
      const { create, gateway, page } = yield* opened
      yield* Browser.act(async () => {
        const id = await create()
        await page.goto(`${gateway.url}/#/${id}`)
        await box(page).fill("a long story")
        await page.request.delete(`${gateway.url}/v1/sessions/${id}`)
        await page.getByText("The session was closed").waitFor()
        expect([await box(page).isEditable(), await box(page).isEnabled()]).toStrictEqual([false, true])
        expect(await box(page).inputValue()).toBe("a long story")
      })
    }), timeout)
})

describe("who looks for something", () => {
  it.scopedLive("is told that an address names nothing, whatever it is", () =>
    Effect.gen(function*() {
      const { gateway, page } = yield* opened
      yield* Browser.act(async () => {
        for (const address of ["%zz", "nothing", "ses_nothing"]) {
          await page.goto(`${gateway.url}/#/${address}`)
          await page.reload()
          await page.getByRole("heading", { name: "There is nothing here" }).waitFor()
          await page.getByRole("paragraph").filter({ hasText: address }).waitFor()
        }
      })
    }), timeout)

  it.scopedLive(
    "finds every session that waits for an answer, or that the list has shown, also one without a name, when there are new ones",
    () =>
      Effect.gen(function*() {
        const { create, gateway, page } = yield* opened
        yield* Browser.act(async () => {
          const links = page.getByRole("navigation", { name: "Sessions" }).locator("li").getByRole("link")
          const first = `${gateway.url}/v1/sessions/${await create(" ")}`
          await page.request.post(`${first}/runs`, { data: { prompt: "ask" } })
          await Promise.all(Array.from({ length: 51 }, (_, n) => create(`session ${n}`)))
          // a page, and who waits for an answer, wherever that is
          await expect.poll(() => links.count(), patience).toBe(51)
          await page.getByRole("link", { name: "Untitled Waiting for you" }).waitFor()
          await expect.poll(() => page.title(), patience).toBe("(1) Holdfast")
          await page.getByRole("button", { name: "Older" }).click()
          await expect.poll(() => links.count(), patience).toBe(52)
          const { elicitations } = await (await page.request.get(`${first}/elicitations`)).json()
          await page.request.post(`${first}/elicitations/${elicitations[0].id}`, { data: { action: "accept" } })
          await expect.poll(() => page.title(), patience).toBe("Holdfast")
          await page.getByRole("link", { name: "Untitled" }).waitFor()
          await create("the newest")
          await page.getByRole("link", { name: "the newest" }).waitFor()
          expect(await links.count()).toBe(53)
        })
      }),
    timeout
  )

  it.scopedLive("hears of the end of every turn, though each is told in the same words", () =>
    Effect.gen(function*() {
      const { create, gateway, page } = yield* opened
      yield* Browser.act(async () => {
        await page.goto(`${gateway.url}/#/${await create()}`)
        const told = page.locator("[role=status].unseen")
        await Browser.say(page, "go on")
        await expect.poll(() => told.textContent(), patience).toBe("The agent has finished")
        await Browser.say(page, "go on")
        await Browser.runsEnded(page, 2)
        // the same text would be no change, and a reader says what changes
        await expect.poll(() => told.textContent(), patience).toBe("The agent has finished\u00a0")
      })
    }), timeout)
})

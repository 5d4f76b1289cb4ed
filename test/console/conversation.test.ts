import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type { Page } from "playwright-core"
import * as Program from "../program.js"
import * as Browser from "./browser.js"
import * as Scripted from "./scripted.js"

Browser.forFile()

const timeout = 180_000

/** The program as it is built, with its demo agent, and a window on its page. */
const console = Effect.gen(function*() {
  const data = yield* Program.temporary
  const gateway = yield* Program.gateway(data, { HOLDFAST_DEMO_STATE: `${data}/demo` })
  const { page } = yield* Browser.open()
  yield* Browser.act(() => page.goto(gateway.url))
  return { page, gateway, folder: data }
})

const conversation = (page: Page) => page.getByRole("region", { name: "Conversation" })
const question = (page: Page, name: string) => page.getByRole("region", { name })

describe("a conversation", () => {
  it.scopedLive(
    "begins with a new session, and shows a plan, thoughts that are folded, tool calls, text and an end",
    () =>
      Effect.gen(function*() {
        const { folder, page } = yield* console
        yield* Browser.act(async () => {
          await page.getByText("Nothing runs here yet").waitFor()
          await page.getByRole("link", { name: "New session" }).click()
          await page.getByLabel("Working folder").fill(folder)
          await page.getByLabel("First message").fill("hello there")
          await page.getByLabel("First message").press("Enter")

          await question(page, "Sign the guest book").waitFor()
          // what the permission is about is shown with it
          await question(page, "Sign the guest book").filter({ hasText: "the demo agent was here" }).waitFor()
          expect(await page.getByRole("heading", { level: 1 }).innerText()).toBe("hello there")
          await expect.poll(() => page.title(), { timeout: 30_000 }).toBe("(1) hello there · Holdfast")

          const thought = conversation(page).getByRole("button", { name: /^Thought/ })
          expect(await thought.getAttribute("aria-expanded")).toBe("false")
          await thought.click()
          await conversation(page).locator(".thought .body", { hasText: "show what an agent can do" }).waitFor()

          await question(page, "Sign the guest book").getByRole("button", { name: "Allow once" }).click()
          await Browser.runsEnded(page, 1)
          await conversation(page).getByText("Thank you: you chose").waitFor()
          const plan = await conversation(page).locator("[data-kind=plan] li").allInnerTexts()
          expect(plan).toHaveLength(3)
          expect(await page.getByText("tokens are used").textContent()).toMatch(/^\d+ of 200,000 tokens are used · \$/)
          const row = page.getByRole("navigation", { name: "Sessions" }).getByRole("link", { name: "hello there" })
          await expect.poll(() => row.innerText(), { timeout: 30_000 }).toMatch(/Idle/)
        })
      }),
    timeout
  )

  it.scopedLive(
    "shows what tools are called for, what they change, what they run and how they fail",
    () =>
      Effect.gen(function*() {
        const { folder, page } = yield* console
        yield* Browser.act(async () => {
          await page.goto(`${page.url().split("#")[0]}#/new`)
          await page.getByLabel("Working folder").fill(folder)
          await page.getByLabel("First message").fill("/tools")
          await page.getByRole("button", { name: "Start" }).click()
          await Browser.runsEnded(page, 1)

          const call = (title: string) => conversation(page).locator(".tool", { hasText: title })
          expect(await call("Write holdfast-demo.txt").locator(".line.added").innerText()).toContain(
            "demo agent wrote this line"
          )
          expect(await call("Write holdfast-demo.txt").getByText("new file").isVisible()).toBe(true)
          const command = call("echo hello")
          expect(await command.locator(".command").innerText()).toMatch(/echo hello[^]*exit 0/)
          await command.locator("pre", { hasText: /^hello\s*$/ }).waitFor()
          await command.getByRole("button", { name: "Input and output" }).click()
          await command.getByText("\"exitCode\"").waitFor()
          expect(await call("Fetch the moon").innerText()).toMatch(/failed[^]*out of reach/)
          // what is told by its line alone stays folded
          const read = call("Read holdfast-demo.txt")
          expect(await read.locator(".body").count()).toBe(0)
          await read.getByRole("button").click()
          await read.getByText("Holdfast's demo agent wrote this line.").waitFor()
        })
      }),
    timeout
  )

  it.scopedLive(
    "keeps what is long or wide in a box of its own, also on a phone",
    () =>
      Effect.gen(function*() {
        const text = Array.from({ length: 3000 }, (_, n) => `line ${n}`).join("\n")
        const cells = (of: (n: number) => string) => `| ${Array.from({ length: 14 }, (_, n) => of(n)).join(" | ")} |`
        const table = [cells((n) => `column${n}`), cells(() => "---"), cells((n) => `value${n}`)].join("\n")
        const gateway = yield* Scripted.gateway(({ say }) =>
          Effect.gen(function*() {
            for (const kind of ["execute", "read"]) {
              yield* say({ type: "ToolCallStarted", toolCallId: kind, title: kind, kind, status: "in_progress" })
              yield* say({
                type: "ToolCallEnded",
                toolCallId: kind,
                status: "completed",
                content: [{ type: "content", content: { type: "text", text } }]
              })
            }
            yield* say({ type: "TextChunk", text: table })
          })
        )
        const { page } = yield* Browser.open({ viewport: { width: 390, height: 1800 } })
        yield* Browser.act(async () => {
          await page.goto(gateway.url)
          await Browser.begin(page, "go")
          await Browser.runsEnded(page, 1)
          // a command is seen from its end, a file from its beginning
          for (const [kind, line] of [["execute", "line 2999"], ["read", "line 0"]] as const) {
            const card = conversation(page).locator(".tool", { has: page.getByText(kind, { exact: true }) })
            await card.getByRole("button").first().click()
            await expect(card.locator("pre").innerText()).resolves.toContain(line)
            expect((await card.boundingBox())?.height).toBeLessThan(700)
          }
          // one line high: its words are whole
          const heading = conversation(page).getByRole("columnheader", { name: "column13" })
          expect((await heading.boundingBox())?.height).toBeLessThan(48)
          expect(await page.evaluate("document.documentElement.scrollWidth")).toBe(390)
        })
      }),
    timeout
  )

  it.scopedLive(
    "takes two answers to two questions that are open at once, each to its own, by hand and by key",
    () =>
      Effect.gen(function*() {
        const { page } = yield* console
        yield* Browser.act(async () => {
          await Browser.begin(page, "/two")
          await question(page, "Do the second thing").waitFor()
          expect(await page.getByText(/Permission \d of 2/).allInnerTexts()).toStrictEqual([
            "Permission 1 of 2",
            "Permission 2 of 2"
          ])
          await question(page, "Do the second thing").getByRole("button", { name: "Allow always" }).click()
          await question(page, "Do the second thing").waitFor({ state: "detached" })
          // whoever has just answered goes on with the other one, whose third option is a refusal
          await expect.poll(() => page.evaluate<string>("document.activeElement?.closest('.ask')?.innerText ?? ''"), {
            timeout: 30_000
          })
            .toContain("Do the first thing")
          await page.keyboard.press("3")
          await conversation(page).getByText("first: reject_once, second: allow_always").waitFor()
        })
      }),
    timeout
  )

  it.scopedLive(
    "says at its field what of a form does not fit, and takes it when it does",
    () =>
      Effect.gen(function*() {
        const { page } = yield* console
        yield* Browser.act(async () => {
          await Browser.begin(page, "/form")
          const form = question(page, "What should be on the postcard?")
          await form.getByLabel("How many copies").fill("many")
          await form.getByLabel("green").check()
          await form.getByLabel("red").check()
          await form.getByRole("button", { name: "Send" }).click()

          const name = form.getByRole("textbox", { name: "Your name" })
          await form.getByText("Expected a value: the field is required").waitFor()
          expect(await name.getAttribute("aria-invalid")).toBe("true")
          await expect.poll(() => page.evaluate<string>("document.activeElement.name"), { timeout: 30_000 }).toBe(
            "name"
          )
          const describedBy = await name.getAttribute("aria-describedby")
          const texts = await Promise.all(
            (describedBy ?? "").split(" ").map((id) => page.locator(`[id="${id}"]`).innerText())
          )
          expect(texts).toStrictEqual(["1 to 40 characters", "Expected a value: the field is required"])
          await form.getByText("Expected an integer").waitFor()
          expect(await form.getByRole("group", { name: "Colours" }).innerText()).toContain(
            "Expected at most 2 of the choices"
          )

          await name.fill("Ada")
          await form.getByLabel("How many copies").fill("2")
          await form.getByLabel("blue").uncheck()
          await form.getByLabel("Autumn").check()
          await form.getByLabel("With a stamp").uncheck()
          // Enter in a field sends a form
          await name.press("Enter")
          const answer = { name: "Ada", season: "autumn", copies: 2, stamp: false, colours: ["red", "green"] }
          await conversation(page).getByText(`You answered: ${JSON.stringify(answer)}`).waitFor()
          expect(await conversation(page).locator(".asked").innerText()).toMatch(/Accepted\s+Your name\s+Ada/)
        })
      }),
    timeout
  )

  it.scopedLive(
    "shows where a page that is to be opened leads, and opens it without telling it anything",
    () =>
      Effect.gen(function*() {
        const { page } = yield* console
        yield* Browser.act(async () => {
          await Browser.begin(page, "/url")
          const asked = question(page, "Please have a look at this page.")
          expect(await asked.locator(".address strong").innerText()).toBe("example.com")
          const link = asked.getByRole("link", { name: "Open example.com" })
          expect(await link.getAttribute("href")).toMatch(/^https:\/\/example\.com\/holdfast\?visit=/)
          expect(await link.getAttribute("rel")).toBe("noopener noreferrer")
          const [opened] = await Promise.all([page.waitForEvent("popup"), link.click()])
          await opened.close()
          await conversation(page).getByText("The page says that you were there.").waitFor()
        })
      }),
    timeout
  )

  it.scopedLive(
    "lets one queue, steer and stop; a prompt that waits is shown until it starts",
    () =>
      Effect.gen(function*() {
        const { page } = yield* console
        yield* Browser.act(async () => {
          await Browser.begin(page, "/sleep 600")
          await conversation(page).getByText("I sleep for 600 s.").waitFor()
          await Browser.say(page, "/think")
          const queue = page.getByRole("list", { name: "Prompts that wait" })
          await queue.getByText("/think").waitFor()
          await page.getByRole("button", { name: "Stop the agent" }).click()
          await conversation(page).getByText("A queued prompt was dropped: it was cancelled").waitFor()
          await Browser.runsEnded(page, 1)
          await conversation(page).locator("[data-kind=ended]", { hasText: "Cancelled" }).waitFor()

          await Browser.say(page, "/sleep 600")
          await conversation(page).getByText("I sleep for 600 s.").nth(1).waitFor()
          await page.getByLabel("Message to the agent").fill("/think")
          await page.getByLabel("Message to the agent").press("Control+Enter")
          await conversation(page).getByText("I have thought about it: 42.").waitFor()
          await Browser.runsEnded(page, 3)
        })
      }),
    timeout
  )

  it.scopedLive(
    "stops a run of the agent's own alone, and says it where that did not arrive",
    () =>
      Effect.gen(function*() {
        const gateway = yield* Scripted.gateway(({ open, say }) =>
          Effect.zipRight(
            open(
              { until: "parent", agent: "helper" },
              ({ say }) => Effect.zipRight(say({ type: "TextChunk", text: "I help." }), Effect.never)
            ),
            say({ type: "TextChunk", text: "Without help, then." })
          )
        )
        const { page } = yield* Browser.open()
        yield* Browser.act(async () => {
          await page.goto(gateway.url)
          await Browser.begin(page, "help")
          const stop = conversation(page).getByRole("button", { name: "Stop helper" })
          await page.route(/\/cancel/, (route) => route.abort(), { times: 1 })
          await stop.click()
          await conversation(page).getByRole("alert").waitFor()
          await stop.click()
          await conversation(page).getByText("Without help, then.").waitFor()
          await Browser.runsEnded(page, 1)
          expect(await stop.count()).toBe(0)
        })
      }),
    timeout
  )

  it.scopedLive("offers what the agent offers: its commands, its modes and its options", () =>
    Effect.gen(function*() {
      const { gateway, page } = yield* console
      const id = yield* Browser.act(async () => {
        const id = await Browser.begin(page, "/think")
        await Browser.runsEnded(page, 1)
        const box = page.getByLabel("Message to the agent")
        await box.fill("/st")
        const commands = page.getByRole("listbox", { name: "Commands" })
        await commands.waitFor()
        expect(await commands.getByRole("option").allInnerTexts()).toMatchObject([/^\/stream how many/, /^\/stay/])
        await box.press("ArrowDown")
        await box.press("Enter")
        await expect.poll(() => box.inputValue(), { timeout: 30_000 }).toBe("/stay")
        await box.fill("/stream")
        await box.press("Tab")
        await expect.poll(() => box.inputValue(), { timeout: 30_000 }).toBe("/stream ")
        await box.fill("")
        await page.getByLabel("Mode").selectOption("Verbose")
        await page.getByLabel("Pace").selectOption("slow")
        return id
      })
      // two requests, which may arrive one after the other and in either order
      const told = Effect.map(gateway.history(id), (history) => history.map(({ event }) => event))
      yield* Effect.repeat(told, {
        until: (events) =>
          events.some(({ type, modeId }) => type === "ModeChanged" && modeId === "verbose") &&
          events.some((event) =>
            event.type === "ConfigChanged" && JSON.stringify(event).includes("\"currentValue\":\"slow\"")
          )
      })
    }), timeout)

  it.scopedLive("restarts the agent, closes the session, and says so", () =>
    Effect.gen(function*() {
      const { page } = yield* console
      yield* Browser.act(async () => {
        await Browser.begin(page, "/think")
        await Browser.runsEnded(page, 1)
        await page.getByRole("button", { name: "Actions" }).click()
        await page.getByRole("button", { name: "Restart the agent" }).click()
        await conversation(page).getByText(/The agent was restarted in/).waitFor()
        await page.getByRole("button", { name: "Actions" }).click()
        await page.getByRole("button", { name: "Close the session…" }).click()
        const dialog = page.getByRole("dialog", { name: "Close this session?" })
        await dialog.getByRole("button", { name: "Keep it" }).click()
        await dialog.waitFor({ state: "hidden" })
        await page.getByRole("button", { name: "Actions" }).click()
        await page.getByRole("button", { name: "Close the session…" }).click()
        await dialog.getByRole("button", { name: "Close the session" }).click()
        await conversation(page).getByText("The session was closed").waitFor()
        expect(await page.getByLabel("Message to the agent").isDisabled()).toBe(true)
        // out of the list, unless one wants to see them
        await page.getByRole("link", { name: "Holdfast", exact: true }).click()
        await page.getByRole("button", { name: "Show 1 closed" }).click()
        await page.getByRole("navigation", { name: "Sessions" }).getByRole("link", { name: /Closed/ }).waitFor()
      })
    }), timeout)

  it.scopedLive("tells why an agent died and a prompt failed, and goes on", () =>
    Effect.gen(function*() {
      const { page } = yield* console
      yield* Browser.act(async () => {
        await Browser.begin(page, "/crash")
        const fault = conversation(page).getByRole("group", { name: "The run failed" })
        await fault.getByText(/exited with code 3/).waitFor()
        await fault.getByRole("button", { name: "AgentDied" }).click()
        await fault.getByText("exitCode: 3").waitFor()
        await conversation(page).getByText(/The agent was restarted in/).waitFor()
        await Browser.say(page, "/think")
        await conversation(page).getByText("I have thought about it: 42.").waitFor()
      })
    }), timeout)

  it.scopedLive("is there whole in the log, which finds by text and by type", () =>
    Effect.gen(function*() {
      const { page } = yield* console
      yield* Browser.act(async () => {
        await Browser.begin(page, "/tools")
        await Browser.runsEnded(page, 1)
        await page.getByRole("link", { name: "Log", exact: true }).click()
        const events = page.getByRole("region", { name: "Events" })
        await events.getByText("RunEnded").waitFor()
        await page.getByLabel("Type").selectOption({ label: "ToolCallEnded (5)" })
        await expect.poll(() => page.locator("output").innerText(), { timeout: 30_000 }).toMatch(/^5 of \d+$/)
        await page.getByLabel("Filter by text").fill("OUT OF REACH")
        await expect.poll(() => page.locator("output").innerText(), { timeout: 30_000 }).toMatch(/^1 of \d+$/)
        await events.getByRole("button").click()
        expect(await events.locator("pre").innerText()).toContain("\"status\": \"failed\"")
      })
    }), timeout)
})

import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import type { Page } from "playwright-core"
import * as Program from "../program.js"
import * as Browser from "./browser.js"
import * as Cable from "./cable.js"
import * as Scripted from "./scripted.js"

Browser.forFile()

const timeout = 240_000

const markdown =
  "# Title\n\nText with `code`, a [link](https://example.com) and **weight**.\n\n- [x] done\n- [ ] open\n\n" +
  "| a | b |\n|---|---|\n| 1 | 2 |\n\n> quoted\n\n```ts\nconst a: string = \"b\" // said\n```\n"

/** What keeps people out of the page in a state, by day and by night. */
const checked = (page: Page) => async (state: string) => {
  for (const colorScheme of ["light", "dark"] as const) {
    await page.emulateMedia({ colorScheme })
    expect([state, colorScheme, await Browser.barriers(page)]).toStrictEqual([state, colorScheme, []])
  }
}

for (
  const [device, viewport] of [["a desk", { width: 1280, height: 840 }], ["a phone", {
    width: 390,
    height: 844
  }]] as const
) {
  describe(`in the light and in the dark, on ${device}`, () => {
    it.scopedLive("axe finds nothing serious in any state of the page", () =>
      Effect.gen(function*() {
        const data = yield* Program.temporary
        const gateway = yield* Program.gateway(data, { HOLDFAST_DEMO_STATE: `${data}/demo` })
        const cable = yield* Cable.make(Number(new URL(gateway.url).port))
        // what breathes has another colour each moment
        const { page } = yield* Browser.open({ viewport, reducedMotion: "reduce" })
        yield* Browser.act(async () => {
          const check = checked(page)
          await page.goto(cable.url)
          await page.getByText("No sessions yet").waitFor()
          await check("no session")
          await page.getByRole("link", { name: "New", exact: true }).click()
          await page.getByLabel("First message").waitFor()
          await check("a new session")
          await page.getByLabel("First message").fill("hello")
          await page.getByRole("button", { name: "Start" }).click()
          await page.locator(".ask").waitFor()
          await check("a permission")
          await page.getByRole("button", { name: "Allow once" }).click()
          await Browser.runsEnded(page, 1)
          await Browser.say(page, "/tools")
          await Browser.runsEnded(page, 2)
          await check("tool calls")
          await Browser.say(page, "/form")
          await page.getByRole("button", { name: "Send", exact: true }).click()
          await page.getByText("the field is required").waitFor()
          await check("a form that does not fit")
          await page.getByRole("button", { name: "Decline" }).click()
          await Browser.runsEnded(page, 3)
          await Browser.say(page, "/url")
          await page.locator(".address").waitFor()
          await check("a page to visit")
          await page.getByRole("button", { name: "Decline" }).click()
          await Browser.runsEnded(page, 4)
          await Browser.say(page, "/crash")
          await page.getByText(/The agent was restarted in/).waitFor()
          await check("a failure")
          await page.getByLabel("Message to the agent").fill("/")
          await page.getByRole("listbox").waitFor()
          await check("commands")
          await page.getByLabel("Message to the agent").fill("")
          await page.getByRole("button", { name: "Actions" }).click()
          await check("the menu")
          await page.getByRole("button", { name: "Close the session…" }).click()
          await page.getByRole("dialog").waitFor()
          await check("the dialog")
          await page.getByRole("button", { name: "Keep it" }).click()
          await page.getByRole("link", { name: "Log", exact: true }).click()
          await page.locator(".entry button").last().click()
          await check("the log")
          await page.getByRole("link", { name: "Conversation", exact: true }).click()
          cable.cut()
          await page.getByText("Not connected").waitFor()
          await check("not connected")
        })
      }), timeout)

    it.scopedLive("nor in what an agent writes, nor where a token is asked for", () =>
      Effect.gen(function*() {
        const gateway = yield* Scripted.gateway(
          ({ say }) =>
            Effect.all([
              say({ type: "TextChunk", text: markdown }),
              say({
                type: "ProcessOutput",
                processId: "p",
                stream: "merged",
                data: Array.from({ length: 16 }, (_, n) => `\u001b[38;5;${n}mcolour ${n}\u001b[0m`).join("\n")
              }),
              say({ type: "Warning", message: "Mind the step", detail: "there is one" })
            ], { discard: true }),
          { token: Redacted.make("sesame") }
        )
        const { page } = yield* Browser.open({ viewport, reducedMotion: "reduce" })
        yield* Browser.act(async () => {
          const check = checked(page)
          await page.goto(gateway.url)
          await page.getByLabel("Token").fill("wrong")
          await page.getByLabel("Token").press("Enter")
          await page.getByText("That is not the right token.").waitFor()
          await check("a wrong token")
          await page.getByLabel("Token").fill("sesame")
          await page.getByLabel("Token").press("Enter")
          await Browser.begin(page, "write")
          await page.locator(".fg-1").waitFor()
          await page.locator("figure.code code span span").first().waitFor()
          await check("a written text")
        })
      }), timeout)
  })
}

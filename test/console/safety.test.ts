import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type { Page } from "playwright-core"
import type { AgentEvent } from "../../src/domain/AgentEvent.js"
import * as Browser from "./browser.js"
import * as Scripted from "./scripted.js"

Browser.forFile()

const timeout = 180_000

/** What runs sets this, wherever it was put. */
const attack =
  "<img src=x onerror=\"window.pwned = 1\"><script>window.pwned = 1</script><svg onload=\"window.pwned = 1\">"

const markdown = `
${attack}

<iframe srcdoc="<script>parent.pwned = 1</script>"></iframe>

[click me](javascript:window.pwned=1) [data](data:text/html,<script>window.pwned=1</script>) [good](https://example.com/a?b=1&c=2)
![picture](https://evil.example/pixel.png) <https://auto.example> [mail](mailto:ada@example.com) [vb](vbscript:x) [rel](/v1/sessions)

\`${attack}\`

\`\`\`html
${attack}
\`\`\`

| ${attack} |
|---|
| &lt;script&gt; &amp; &#60;b&#62; |

> ${attack}

- [x] ${attack}
`

/** The same in every place where an agent can put a text. */
const said: ReadonlyArray<AgentEvent> = [
  { type: "ThoughtChunk", text: markdown },
  { type: "ToolCallStarted", toolCallId: attack, title: attack, kind: attack, name: attack, status: "pending" },
  {
    type: "ToolCallEnded",
    toolCallId: attack,
    status: "failed",
    rawInput: { [attack]: attack },
    rawOutput: attack,
    locations: [{ path: `/${attack}`, line: 1 }],
    content: [
      { type: "content", content: { type: "text", text: markdown } },
      { type: "content", content: { type: "image", data: btoa(attack), mimeType: "image/svg+xml" } },
      { type: "content", content: { type: "image", data: "\" onerror=\"window.pwned = 1", mimeType: "image/png" } },
      { type: "content", content: { type: "resource_link", name: attack, uri: "javascript:window.pwned=1" } },
      { type: "content", content: { type: "resource", resource: { uri: `file:///${attack}`, text: attack } } },
      { type: "diff", path: attack, oldText: "<b>before</b>", newText: attack },
      { type: "terminal", terminalId: "term" }
    ]
  },
  { type: "ProcessStatus", processId: "term", status: "running", command: attack },
  {
    type: "ProcessOutput",
    processId: "term",
    stream: "merged",
    data: `${attack}\u001b]0;${attack}\u0007\u001b[31mred\u001b[0m\n`
  },
  { type: "ShellOutput", data: attack },
  { type: "PlanUpdated", entries: [{ content: attack, priority: attack, status: attack }] },
  { type: "UsageUpdated", used: 1, size: 2, cost: { amount: 1, currency: attack } },
  { type: "ModeChanged", modeId: attack, available: [{ id: attack, name: attack }, { id: "b", name: "b" }] },
  {
    type: "ConfigChanged",
    options: [{ id: attack, name: attack, currentValue: attack, options: [{ value: attack }] }]
  },
  { type: "CommandsChanged", commands: [{ name: attack, description: attack, hint: attack }] },
  { type: "TitleChanged", title: attack },
  { type: "Warning", message: attack, detail: attack },
  { type: "Extension", name: attack, payload: attack },
  { type: "FilesChanged", changes: [{ path: attack, kind: attack }] },
  { type: "ContextCompacted", summary: attack, used: 9, size: 10 },
  { type: "TextChunk", text: markdown }
]

/** Opens what is folded, until nothing is. */
const unfold = async (page: Page) => {
  const folded = page.locator("main [aria-expanded=false]")
  for (let n = await folded.count(); n > 0; n = await folded.count()) await folded.first().click()
}

const links = (page: Page) =>
  page.locator(".prose a").evaluateAll((all) => all.map((each) => each.getAttribute("href")))

const elements = (page: Page, selector: string) => page.locator(`main ${selector}`).count()

describe("what an agent says", () => {
  it.scopedLive(
    "is text, wherever it says it: no markup of it becomes an element, and nothing of it runs or is loaded",
    () =>
      Effect.gen(function*() {
        const gateway = yield* Scripted.gateway(({ ask, say }) =>
          Effect.gen(function*() {
            for (const event of said) yield* say(event)
            yield* ask({
              kind: "form",
              message: attack,
              schema: {
                description: attack,
                properties: {
                  [attack]: {
                    type: "string",
                    title: attack,
                    description: attack,
                    oneOf: [{ const: attack, title: attack }]
                  }
                }
              }
            })
          })
        )
        // tall: everything is in view, and so in the page
        const { page } = yield* Browser.open({ viewport: { width: 1280, height: 12_000 } })
        yield* Browser.act(async () => {
          const requests: Array<string> = []
          page.on("request", (request) => requests.push(request.url()))
          await page.goto(gateway.url)
          await Browser.begin(page, attack)
          await page.locator(".ask").waitFor()
          await unfold(page)
          await page.locator(".fg-1", { hasText: "red" }).waitFor()
          await page.locator("figure.code code span span").first().waitFor()

          const text = await page.locator("main").innerText()
          expect(text.split("<script>window.pwned = 1</script>").length).toBeGreaterThan(25)
          expect(text).toContain("<script> & <b>")
          expect(await elements(page, "script")).toBe(0)
          expect(await elements(page, "iframe")).toBe(0)
          expect(await elements(page, ".prose :is(svg:not(.icon), b)")).toBe(0)
          // the pictures that were sent as such, of the one kind that is shown
          expect(await page.locator("main img").evaluateAll((all) => all.map((each) => each.getAttribute("alt"))))
            .toStrictEqual(["An image of the agent"])
          // of the thought, the tool call and the message; an image is a link to it
          const allowed = [
            "https://example.com/a?b=1&c=2",
            "https://evil.example/pixel.png",
            "https://auto.example/",
            "mailto:ada@example.com"
          ]
          expect(new Set(await links(page))).toStrictEqual(new Set(allowed))
          expect(await page.evaluate("window.pwned")).toBeUndefined()
          expect(requests.filter((url) => !url.startsWith(gateway.url) && !url.startsWith("data:"))).toStrictEqual([])

          await page.getByRole("link", { name: "Log", exact: true }).click()
          await page.getByRole("region", { name: "Events" }).getByText("ToolCallEnded").waitFor()
          await unfold(page)
          expect(await elements(page, "script")).toBe(0)
          expect(await page.evaluate("window.pwned")).toBeUndefined()
        })
      }),
    timeout
  )

  it.scopedLive(
    "could not run where the page had a fault: its policy holds markup and code back",
    () =>
      Effect.gen(function*() {
        const gateway = yield* Scripted.gateway(() => Effect.void)
        const { complaints, page } = yield* Browser.open()
        yield* Browser.act(async () => {
          await page.goto(gateway.url)
          await page.getByText("Nothing runs here yet").waitFor()
          const tried = (code: string) =>
            page.evaluate(`(() => { try { ${code}; return "done" } catch (error) { return error.name } })()`)
          expect(await tried("document.body.innerHTML = '<img>'")).toBe("TypeError")
          expect(
            await tried(
              "const s = document.createElement('script'); s.text = 'window.pwned = 1'; document.body.append(s)"
            )
          ).toBe("TypeError")
          expect(await tried("document.body.insertAdjacentHTML('beforeend', '<b>')")).toBe("TypeError")
          await tried(
            "const b = document.createElement('button'); b.setAttribute('onclick', 'window.pwned = 1'); b.click()"
          )
          await page.evaluate("fetch('http://127.0.0.1:9/').catch(() => {})")
          expect(await page.evaluate("window.pwned")).toBeUndefined()
          await expect.poll(() => complaints.join("\n"), { timeout: 30_000 }).toMatch(
            /TrustedHTML[^]*TrustedScript[^]*connect-src/
          )
          complaints.splice(0)
        })
      }),
    timeout
  )
})

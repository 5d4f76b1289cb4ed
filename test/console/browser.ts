/** The console as a person has it before them: Debian's Chromium. */
import * as axe from "axe-core"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { leakFreeFile } from "holdfast/testing/vitest"
import * as NodeFs from "node:fs"
import { type Browser, type BrowserContextOptions, chromium, type Page } from "playwright-core"
import { afterAll, beforeAll, expect } from "vitest"

export const executablePath = process.env["CHROMIUM"] ?? "/usr/bin/chromium"

export const args = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  // the shared memory of a container is too small for it
  "--disable-dev-shm-usage"
]

/** A real machine under load takes its time. */
const patience = 60_000

let browser: Browser | undefined

/**
 * One browser for all tests of the file, which are leak-free. In it each test has a context of its own: storage, cache and connections are
 * as apart as in two browsers.
 */
export const forFile = () => {
  // it starts its helpers when it needs them, and they end with it
  leakFreeFile({ grace: "5 seconds", ignore: ({ kind, what }) => kind === "process" && /chromium --type=/.test(what) })
  beforeAll(async () => {
    if (!NodeFs.existsSync(executablePath)) {
      throw new Error(
        `the tests of the console need Chromium, and ${executablePath} is not there: ` +
          "apt-get install chromium, or name another one in CHROMIUM"
      )
    }
    browser = await chromium.launch({ executablePath, args })
  }, patience)
  afterAll(() => browser?.close())
}

export interface Window {
  readonly page: Page
  /** What the page complained of: errors, and what its policy forbade. */
  readonly complaints: Array<string>
}

/** A window of the file's browser; it has to be without complaint when the scope closes. */
export const open = (options: BrowserContextOptions = {}): Effect.Effect<Window, never, Scope.Scope> =>
  Effect.gen(function*() {
    const complaints: Array<string> = []
    yield* Effect.addFinalizer(() => Effect.sync(() => expect(complaints).toStrictEqual([])))
    const context = yield* Effect.acquireRelease(
      Effect.promise(async () => {
        if (browser === undefined) throw new Error("the file has to call Browser.forFile()")
        return browser.newContext({ viewport: { width: 1280, height: 840 }, ...options })
      }),
      (context) => Effect.promise(() => context.close())
    )
    context.setDefaultTimeout(patience)
    const page = yield* Effect.promise(() => context.newPage())
    page.on("pageerror", (error) => complaints.push(error.message))
    page.on("console", (message) => {
      // a request that fails is told there, too, and is no fault of the page
      if (message.type() === "error" && !message.text().startsWith("Failed to load resource")) {
        complaints.push(message.text())
      }
    })
    return { page, complaints }
  })

export const act = <A>(steps: () => Promise<A>): Effect.Effect<A> => Effect.promise(steps)

/** Writes to the agent and sends it. */
export const say = async (page: Page, text: string): Promise<void> => {
  await page.getByLabel("Message to the agent").fill(text)
  await page.getByLabel("Message to the agent").press("Enter")
}

/** A new session with a first message, and its id. */
export const begin = async (page: Page, message: string): Promise<string> => {
  await page.getByRole("link", { name: "New", exact: true }).click()
  await page.getByLabel("First message").fill(message)
  await page.getByRole("button", { name: "Start" }).click()
  await page.waitForURL(/#\/ses_/)
  return /ses_\w+/.exec(page.url())?.[0] ?? ""
}

/** Until the run is over: as many as that have ended. */
export const runsEnded = (page: Page, count: number): Promise<void> =>
  page.locator("[data-kind=ended]").nth(count - 1).waitFor()

/** What axe finds serious or critical, as rules with the elements that break them. */
export const barriers = async (page: Page): Promise<ReadonlyArray<string>> => {
  if (!(await page.evaluate("'axe' in window"))) await page.evaluate(axe.source)
  const { violations } = await page.evaluate<axe.AxeResults>("axe.run()")
  return violations
    .filter(({ impact }) => impact === "serious" || impact === "critical")
    .flatMap(({ id, nodes }) =>
      nodes.map(({ failureSummary, html }) => `${id}: ${html.slice(0, 200)} ${failureSummary}`)
    )
}

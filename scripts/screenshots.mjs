/**
 * Takes the pictures of the console for the documentation: starts the built gateway with the demo agent, does what a person would do,
 * and writes `docs/images`. It needs Chromium; with the fonts Inter and JetBrains Mono installed they look as they do there.
 */
import { spawn } from "node:child_process"
import * as fs from "node:fs"
import * as os from "node:os"
import * as path from "node:path"
import { fileURLToPath } from "node:url"
import { chromium } from "playwright-core"

process.chdir(fileURLToPath(new URL("..", import.meta.url)))

const largest = 200 * 1024
const desk = { width: 1200, height: 860 }
const phone = { width: 390, height: 780 }

const folder = fs.mkdtempSync(path.join(os.tmpdir(), "holdfast-"))
const work = path.join(folder, "lighthouse")
fs.mkdirSync(path.join(work, "logs"), { recursive: true })
for (const name of ["README.md", "lamp.yaml", "tides.csv"]) fs.writeFileSync(path.join(work, name), `${name}\n`)
fs.mkdirSync("docs/images", { recursive: true })

/** Resolves with its address. */
const gateway = spawn(process.execPath, ["dist/main.js", "serve", "--port", "0", "--data", path.join(folder, "data")], {
  env: { ...process.env, HOLDFAST_DEMO_STATE: path.join(folder, "demo") },
  stdio: ["ignore", "pipe", "inherit"]
})
const exited = new Promise((resolve) => gateway.once("exit", resolve))
const url = await new Promise((resolve, reject) => {
  gateway.stdout.setEncoding("utf8").on("data", (text) => {
    const found = /listening on (\S+)/.exec(text)?.[1]
    if (found !== undefined) resolve(found)
  })
  exited.then((code) => reject(new Error(`the gateway exited with ${code}`)))
})

const post = async (route, body) => {
  const response = await fetch(`${url}/v1/${route}`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body)
  })
  if (!response.ok) throw new Error(`${route}: ${response.status} ${await response.text()}`)
  return response.json()
}

/** A session with a title, and what was said in it. */
const session = async (title, ...prompts) => {
  const { id } = await post("sessions", { agent: "demo", cwd: work, title })
  for (const prompt of prompts) await post(`sessions/${id}/runs`, { prompt, whenBusy: "queue" })
  return id
}

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"]
})

/** Shows a page of the console, does something there, and takes its picture. */
const picture = async (name, { at = "", colorScheme = "light", steps = async () => {}, viewport = desk }) => {
  const context = await browser.newContext({
    viewport,
    colorScheme,
    hasTouch: viewport === phone,
    locale: "en-GB",
    reducedMotion: "reduce"
  })
  const page = await context.newPage()
  await page.goto(`${url}/#/${at}`)
  await steps(page)
  // until the colours of code are there
  await page.waitForTimeout(600)
  const file = `docs/images/${name}.png`
  await page.screenshot({ path: file })
  await context.close()
  const { size } = fs.statSync(file)
  if (size > largest) throw new Error(`${file} has ${size} bytes; ${largest} are allowed`)
  console.log(`${file} ${Math.round(size / 1024)} KB`)
}

const ended = (page, count) => page.locator("[data-kind=ended]").nth(count - 1).waitFor()

try {
  await picture("console-empty", { steps: (page) => page.getByText("Nothing runs here yet").waitFor() })

  await session("Watch the tide tables", "/sleep 900")
  await session("Describe the lamp", "/plan", "/think")
  const two = await session("Clear the gallery", "/two")
  const tools = await session("Write the keeper's log", "/tools")
  const form = await session("Send a postcard", "/form")
  const guest = await session("Greet the visitors", "Show the new keeper around")
  const asks = { at: guest, steps: (page) => page.locator(".ask").waitFor() }

  await picture("console-light", asks)
  await picture("console-dark", { ...asks, colorScheme: "dark" })
  await picture("console-phone", { ...asks, viewport: phone })
  await picture("console-tools", { at: tools, steps: (page) => ended(page, 1) })
  await picture("console-questions", {
    at: two,
    colorScheme: "dark",
    steps: (page) => page.locator(".ask").nth(1).waitFor()
  })
  await picture("console-form", {
    at: form,
    steps: async (page) => {
      await page.getByRole("button", { name: "Send", exact: true }).click()
      await page.getByText("the field is required").waitFor()
    }
  })
  await picture("console-list-phone", {
    viewport: phone,
    colorScheme: "dark",
    steps: (page) => page.getByText("Send a postcard").waitFor()
  })
  await picture("console-log", {
    at: `${tools}/log`,
    steps: async (page) => {
      await page.getByLabel("Type").selectOption("ToolCallEnded")
      await page.locator(".entry button").nth(1).click()
    }
  })
  await picture("console-disconnected", {
    at: tools,
    steps: async (page) => {
      await ended(page, 1)
      gateway.kill("SIGTERM")
      await page.getByText("Not connected").waitFor()
    }
  })
} finally {
  await browser.close()
  gateway.kill("SIGTERM")
  await exited
  fs.rmSync(folder, { recursive: true })
}

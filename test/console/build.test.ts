import { expect, it } from "@effect/vitest"
import * as NodeFs from "node:fs"
import * as Zlib from "node:zlib"
import { page } from "./scripted.js"

const read = (path: string) => NodeFs.readFileSync(`${page}/${path}`)
const index = read("index.html").toString()
/** What a browser fetches before it shows anything. */
const first = [...index.matchAll(/(?:src|href)="\.\/(assets\/[^"]+)"/g)].map(([, path = ""]) => path)
const zipped = (path: string) => Zlib.gzipSync(read(path)).length

it("the first load of the console is less than 60 KB; what highlights code, reads terminals and compares files comes later", () => {
  expect(first.map((path) => path.split(".").at(-1)).sort()).toStrictEqual(["css", "js", "svg"])
  const size = ["index.html", ...first].reduce((sum, path) => sum + zipped(path), 0)
  expect(size).toBeLessThan(60 * 1024)
  // and with what an agent's first words need
  const words = NodeFs.readdirSync(`${page}/assets`).filter((name) => name.startsWith("Markdown-"))
  expect(words).toHaveLength(1)
  expect(words.reduce((sum, name) => sum + zipped(`assets/${name}`), size)).toBeLessThan(70 * 1024)
})

it("the console refers to nothing that the gateway does not serve, and has nothing inside its page that its policy forbids", () => {
  expect(index.match(/(?:src|href)="(?!\.\/assets\/)[^"]*"/g)).toBeNull()
  expect(index).not.toMatch(/<style|<script(?![^>]*\bsrc=)|\bstyle=|\bon\w+=/)
})

it("the console comes with the licences of what is in it", () => {
  const licences = read("licences.txt").toString()
  for (const name of ["preact", "virtua", "marked", "shiki", "@xterm/headless", "eventsource-parser", "diff"]) {
    expect(licences).toMatch(new RegExp(`^${name} [\\d.]+ \\(`, "m"))
  }
})

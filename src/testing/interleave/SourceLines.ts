/**
 * Where a function was written: file, line and the text of that line.
 *
 * An Effect knows nothing of the place that made it, and a stack shows the run loop. V8 knows: its inspector tells the location of
 * every function. It is asked only when a trace is printed, since it takes a fifth of a millisecond.
 *
 * @since 0.1.0
 */
import * as fs from "node:fs"
import * as inspector from "node:inspector"
import { SourceMap } from "node:module"
import * as path from "node:path"
import { fileURLToPath, pathToFileURL } from "node:url"
import type { Frame } from "./Generators.js"

/** @since 0.1.0 */
export interface Place {
  /** Relative to the working directory. */
  readonly file: string
  /** From 1. */
  readonly line: number
  readonly text: string
}

/** All `undefined` for what belongs to a package, to Node or to the explorer itself. @since 0.1.0 */
export interface SourceLines {
  /** Of a function. */
  readonly find: (code: object) => Place | undefined
  readonly at: (frame: Frame | undefined) => Place | undefined
  readonly close: () => void
}

interface Script {
  readonly file: string
  /** Of the source where that is known, else of the compiled code. */
  readonly lines: ReadonlyArray<string>
  readonly map: SourceMap | undefined
}

/** By which the inspector can be told of a value. */
const handle = Symbol.for("holdfast/interleave/SourceLines")

const none: SourceLines = { find: () => undefined, at: () => undefined, close: () => {} }

/** @since 0.1.0 */
export const open = (): SourceLines => {
  try {
    return connect()
  } catch {
    // a runtime without V8's inspector: the trace is poorer
    return none
  }
}

const connect = (): SourceLines => {
  const session = new inspector.Session()
  session.connect()
  const parsed = new Map<string, { readonly url: string; readonly sourceMapURL?: string | undefined }>()
  // a module that was loaded again has the same address, and the same lines
  const byUrl = new Map<string, string>()
  session.on("Debugger.scriptParsed", ({ params }) => {
    parsed.set(params.scriptId, params)
    byUrl.set(params.url, params.scriptId)
  })
  session.post("Debugger.enable")
  // nobody could go on after a `debugger` statement: who would say so runs on this thread
  session.post("Debugger.setSkipAllPauses", { skip: true })
  const scripts = new Map<string, Script | undefined>()
  const known = new WeakMap<object, Place | false>()

  const load = (id: string): Script | undefined => {
    const about = parsed.get(id)
    if (about === undefined || !isOfTheProgram(about.url)) return undefined
    const file = path.relative(process.cwd(), about.url.startsWith("file:") ? fileURLToPath(about.url) : about.url)
    const map = inlineMap(about.sourceMapURL)
    let text = map === undefined ? undefined : source(map, about.url)
    if (text === undefined) {
      session.post("Debugger.getScriptSource", { scriptId: id }, (_, { scriptSource }) => text = scriptSource)
    }
    return { file, lines: (text ?? "").split("\n"), map }
  }

  const at = (
    id: string,
    line: number,
    column: number,
    position: (script: Script, line: number, column: number) => Place = place
  ): Place | undefined => {
    if (!scripts.has(id)) scripts.set(id, load(id))
    const script = scripts.get(id)
    if (script === undefined) return undefined
    const entry = script.map?.findEntry(line, column)
    return entry !== undefined && "originalLine" in entry
      ? position(script, entry.originalLine, entry.originalColumn)
      : position(script, line, column)
  }

  const locate = (code: object): unknown => {
    let location: unknown
    Reflect.set(globalThis, handle, code)
    session.post("Runtime.evaluate", {
      expression: `globalThis[Symbol.for(${JSON.stringify(Symbol.keyFor(handle))})]`,
      objectGroup: "interleave"
    }, (_, { result: { objectId } }) => {
      if (objectId === undefined) return
      session.post("Runtime.getProperties", { objectId, ownProperties: true }, (_, { internalProperties = [] }) => {
        location = internalProperties.find(({ name }) => name === "[[FunctionLocation]]")?.value
          ?.value
      })
    })
    session.post("Runtime.releaseObjectGroup", { objectGroup: "interleave" })
    Reflect.deleteProperty(globalThis, handle)
    return location
  }

  const find = (code: object): Place | undefined => {
    const location = locate(code)
    if (typeof location !== "object" || location === null || !("scriptId" in location)) return undefined
    const { columnNumber = 0, lineNumber, scriptId } = { lineNumber: 0, ...location }
    return at(String(scriptId), Number(lineNumber), Number(columnNumber))
  }

  return {
    find: (code) => {
      const cached = known.get(code)
      if (cached !== undefined) return cached === false ? undefined : cached
      const found = find(code)
      known.set(code, found ?? false)
      return found
    },
    at: (frame) => {
      if (frame === undefined) return undefined
      // to the inspector a path is an address
      const id = byUrl.get(path.isAbsolute(frame.url) ? pathToFileURL(frame.url).href : frame.url)
      return id === undefined ? undefined : at(id, frame.line, frame.column, placeOfYield)
    },
    close: () => {
      session.post("Debugger.disable")
      session.disconnect()
    }
  }
}

const here = new URL(".", import.meta.url).href
const publicModule = new URL("../Interleave.", import.meta.url).href

const isOfTheProgram = (url: string): boolean =>
  /^(file:|\/)/.test(url) && !url.includes("/node_modules/") && !url.startsWith(here) && !url.startsWith(publicModule)

/** As vitest and tsx have it; where the map is a file of its own, the line is that of the compiled code. */
const inlineMap = (url: string | undefined): SourceMap | undefined => {
  const encoded = /^data:application\/json[^,]*;base64,(.*)$/.exec(url ?? "")?.[1]
  if (encoded === undefined) return undefined
  try {
    return new SourceMap(JSON.parse(Buffer.from(encoded, "base64").toString()))
  } catch {
    return undefined
  }
}

/** In the map, as vitest has it, or in the file that it names, as tsx does. */
const source = (map: SourceMap, url: string): string | undefined => {
  const { sources: [name], sourcesContent } = map.payload
  // the types say that it is always there
  const content: unknown = Reflect.get(sourcesContent ?? [], 0)
  if (typeof content === "string") return content
  try {
    return name === undefined ? undefined : fs.readFileSync(new URL(name, url), "utf8")
  } catch {
    return undefined
  }
}

const place = ({ file, lines }: Script, line: number): Place => ({
  file,
  line: line + 1,
  text: (lines[line] ?? "").trim()
})

/** To V8 a `yield*` stands where its operand ends, as at the last call of a chain: what is told is the line where it begins. */
const placeOfYield = (script: Script, line: number, column: number): Place => {
  let nested = 0
  for (let row = line; row >= Math.max(0, line - highest); row--) {
    const text = script.lines[row] ?? ""
    for (let at = row === line ? Math.min(column, text.length) : text.length; at-- > 0;) {
      const char = text.charAt(at)
      if ("\"'`".includes(char)) at = Math.max(0, text.lastIndexOf(char, at - 1))
      else if (")]}".includes(char)) nested++
      else if ("([{".includes(char) && --nested < 0) return place(script, line)
      else if (nested === 0 && text.startsWith("yield*", at)) return place(script, row)
    }
  }
  return place(script, line)
}

/** How many lines an operand is searched for its `yield*`. */
const highest = 200

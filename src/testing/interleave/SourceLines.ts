/**
 * Where a function was written, and where a generator stands: file, line and the text of that line.
 *
 * An Effect knows nothing of the place that made it, and a stack shows the run loop. V8 knows: its inspector tells the location of
 * every function and of every suspended generator. It is asked only to explain a failure, since it takes about half a millisecond.
 *
 * @since 0.1.0
 */
import * as inspector from "node:inspector"
import { SourceMap } from "node:module"
import * as path from "node:path"
import { fileURLToPath } from "node:url"

/** @since 0.1.0 */
export interface Place {
  /** Relative to the working directory. */
  readonly file: string
  /** From 1. */
  readonly line: number
  readonly text: string
}

/** @since 0.1.0 */
export interface SourceLines {
  /** `undefined` for what belongs to a package, to Node or to the explorer itself. */
  readonly find: (code: object) => Place | undefined
  /** How often V8 was asked. */
  readonly asked: () => number
  readonly close: () => void
}

interface Script {
  readonly url: string
  readonly lines: ReadonlyArray<string>
  readonly map: SourceMap | undefined
}

/** By which the inspector can be told of a value. */
const handle = Symbol.for("holdfast/interleave/SourceLines")

/** It knows no line: for a trace that costs little. @since 0.1.0 */
export const none: SourceLines = { find: () => undefined, asked: () => 0, close: () => {} }

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
  session.on("Debugger.scriptParsed", ({ params }) => parsed.set(params.scriptId, params))
  session.post("Debugger.enable")
  // nobody could go on after a `debugger` statement: who would say so runs on this thread
  session.post("Debugger.setSkipAllPauses", { skip: true })
  const scripts = new Map<string, Script | undefined>()
  let asked = 0
  const known = new WeakMap<object, Place | false>()

  const load = (id: string): Script | undefined => {
    const about = parsed.get(id)
    if (about === undefined || !isOfTheProgram(about.url)) return undefined
    let lines: ReadonlyArray<string> = []
    session.post("Debugger.getScriptSource", { scriptId: id }, (_, source) => lines = source.scriptSource.split("\n"))
    return { url: about.url, lines, map: inlineMap(about.sourceMapURL) }
  }

  const script = (id: string): Script | undefined => {
    if (!scripts.has(id)) scripts.set(id, load(id))
    return scripts.get(id)
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
        location = internalProperties.find(({ name }) => /^\[\[(Function|Generator)Location\]\]$/.test(name))?.value
          ?.value
      })
    })
    session.post("Runtime.releaseObjectGroup", { objectGroup: "interleave" })
    Reflect.deleteProperty(globalThis, handle)
    return location
  }

  const find = (code: object): Place | undefined => {
    asked++
    const location = locate(code)
    if (typeof location !== "object" || location === null || !("scriptId" in location)) return undefined
    const { columnNumber = 0, lineNumber, scriptId } = { lineNumber: 0, ...location }
    const its = script(String(scriptId))
    return its === undefined ? undefined : place(its, Number(lineNumber), Number(columnNumber))
  }

  return {
    find: (code) => {
      const cached = known.get(code)
      if (cached !== undefined) return cached === false ? undefined : cached
      const found = find(code)
      // a function stays where it is, a generator moves on
      if (typeof code === "function") known.set(code, found ?? false)
      return found
    },
    asked: () => asked,
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

const place = ({ lines, map, url }: Script, line: number, column: number): Place => {
  const file = path.relative(process.cwd(), url.startsWith("file:") ? fileURLToPath(url) : url)
  const entry = map?.findEntry(line, column)
  const original = entry !== undefined && "originalLine" in entry ? entry.originalLine : line
  const text = map?.payload.sourcesContent[0]?.split("\n")[original] ?? lines[line] ?? ""
  return { file, line: original + 1, text: text.trim() }
}

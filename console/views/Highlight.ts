/**
 * Colours for code, in a file of its own that is loaded with the first block of code; each language is another.
 *
 * The expressions run in the browser's own engine, because the page's policy allows no WebAssembly; the colours are variables of the
 * stylesheet, so they follow the light.
 */
import { createCssVariablesTheme, createHighlighterCore, type HighlighterCore, type LanguageInput } from "shiki/core"
import { createJavaScriptRegexEngine } from "shiki/engine/javascript"

export type Line = ReadonlyArray<{ readonly content: string; readonly color: string | undefined }>

const languages: Readonly<Record<string, LanguageInput>> = {
  bash: () => import("shiki/langs/bash.mjs"),
  c: () => import("shiki/langs/c.mjs"),
  csharp: () => import("shiki/langs/csharp.mjs"),
  css: () => import("shiki/langs/css.mjs"),
  diff: () => import("shiki/langs/diff.mjs"),
  docker: () => import("shiki/langs/docker.mjs"),
  go: () => import("shiki/langs/go.mjs"),
  html: () => import("shiki/langs/html.mjs"),
  java: () => import("shiki/langs/java.mjs"),
  json: () => import("shiki/langs/json.mjs"),
  kotlin: () => import("shiki/langs/kotlin.mjs"),
  markdown: () => import("shiki/langs/markdown.mjs"),
  php: () => import("shiki/langs/php.mjs"),
  python: () => import("shiki/langs/python.mjs"),
  rust: () => import("shiki/langs/rust.mjs"),
  sql: () => import("shiki/langs/sql.mjs"),
  swift: () => import("shiki/langs/swift.mjs"),
  toml: () => import("shiki/langs/toml.mjs"),
  tsx: () => import("shiki/langs/tsx.mjs"),
  xml: () => import("shiki/langs/xml.mjs"),
  yaml: () => import("shiki/langs/yaml.mjs")
}

/**
 * Other names and endings of files. TypeScript's grammar with tags reads all of its family, and that of C reads most of C++, whose own
 * is larger than all others together.
 */
const aliases: Readonly<Record<string, string>> = {
  sh: "bash",
  shell: "bash",
  zsh: "bash",
  h: "c",
  cc: "c",
  hpp: "c",
  cpp: "c",
  "c++": "c",
  cs: "csharp",
  scss: "css",
  patch: "diff",
  dockerfile: "docker",
  golang: "go",
  htm: "html",
  vue: "html",
  svelte: "html",
  jsonc: "json",
  json5: "json",
  kt: "kotlin",
  md: "markdown",
  py: "python",
  rs: "rust",
  ts: "tsx",
  typescript: "tsx",
  mts: "tsx",
  cts: "tsx",
  js: "tsx",
  mjs: "tsx",
  cjs: "tsx",
  jsx: "tsx",
  javascript: "tsx",
  svg: "xml",
  yml: "yaml"
}

const theme = createCssVariablesTheme({ name: "holdfast", variablePrefix: "--code-" })
let highlighter: Promise<HighlighterCore> | undefined

/** Nothing for a language that is not known, or that could not be loaded: then the code stays as it is. */
export const highlight = async (text: string, language: string): Promise<ReadonlyArray<Line> | undefined> => {
  const name = language.toLowerCase()
  const lang = Object.hasOwn(aliases, name) ? aliases[name] ?? name : name
  const source = Object.hasOwn(languages, lang) ? languages[lang] : undefined
  if (source === undefined) return
  try {
    highlighter ??= createHighlighterCore({
      themes: [theme],
      langs: [],
      engine: createJavaScriptRegexEngine({ forgiving: true })
    })
    const core = await highlighter
    if (!core.getLoadedLanguages().includes(lang)) await core.loadLanguage(source)
    return core.codeToTokensBase(text, { lang, theme: "holdfast" })
      .map((line) => line.map(({ color, content }) => ({ color, content })))
  } catch {
    // a file that could not be loaded may be there the next time
    highlighter = undefined
    return
  }
}

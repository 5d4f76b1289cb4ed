/**
 * Which tool calls run, which are asked for, and which do not. Pure.
 *
 * ```ts
 * const permissions: Permissions = {
 *   allow: ["read_*", { tool: "shell", args: { command: "git *" } }],
 *   ask: [{ tool: "shell", args: { command: "git push*" } }],
 *   deny: [{ tool: "*", args: { path: "/etc/*" } }]
 * }
 * ```
 *
 * The strictest rule that fits counts: deny, then ask, then allow. Where none fits, a tool that only reads runs, and any other is asked for.
 *
 * @since 0.1.0
 */

/** A glob of tool names, with globs of arguments that must all be there and fit. `*` is any text, `?` one character. @since 0.1.0 */
export type Rule = string | { readonly tool: string; readonly args?: { readonly [name: string]: string } | undefined }

/** @since 0.1.0 */
export interface Permissions {
  readonly allow?: ReadonlyArray<Rule> | undefined
  readonly ask?: ReadonlyArray<Rule> | undefined
  readonly deny?: ReadonlyArray<Rule> | undefined
  /** What is done with a tool that changes things when no rule fits; `ask` by default. */
  readonly otherwise?: "allow" | "ask" | "deny" | undefined
}

/** `byRule`: a rule says so, and not what is done otherwise: one that asks has no "always", one that denies binds sub-agents, too. @since 0.1.0 */
export type Verdict =
  | { readonly _tag: "Allow" }
  | { readonly _tag: "Ask"; readonly byRule: boolean }
  | { readonly _tag: "Deny"; readonly byRule: boolean; readonly why: string }

/** What a shell would take for the beginning of something else. */
const shell = "[^;&|<>$`()\\n]"

/** @since 0.1.0 */
export const glob = (pattern: string, any = "[^]"): (text: string) => boolean => {
  const source = pattern.replace(/[\\^$.|+()[\]{}]/g, "\\$&").replace(
    /\*+|\?/g,
    (wildcard) => wildcard === "?" ? any : `${any}*`
  )
  const regExp = new RegExp(`^${source}$`)
  return (text) => regExp.test(text)
}

const isRecord = (args: unknown): args is { readonly [name: string]: unknown } =>
  typeof args === "object" && args !== null

const toText = (value: unknown) => typeof value === "string" ? value : JSON.stringify(value)

type Fits = (tool: string, args: unknown) => boolean

/** @param any what a wildcard in an argument stands for */
const compile = (rules: ReadonlyArray<Rule> = [], any?: string): Fits => {
  const compiled = rules.map((rule): Fits => {
    const { args = {}, tool } = typeof rule === "string" ? { tool: rule } : rule
    const name = glob(tool)
    const globs = Object.entries(args).map(([name, pattern]) => [name, glob(pattern, any)] as const)
    return (tool, args) =>
      name(tool) &&
      globs.every(([name, fits]) =>
        isRecord(args) && Object.hasOwn(args, name) && args[name] !== undefined && fits(toText(args[name]))
      )
  })
  return (tool, args) => compiled.some((fits) => fits(tool, args))
}

/** @since 0.1.0 */
export type Judge = (call: { readonly tool: string; readonly args: unknown; readonly readOnly: boolean }) => Verdict

/** @since 0.1.0 */
export const make = ({ allow, ask, deny, otherwise = "ask" }: Permissions = {}): Judge => {
  const denies = compile(deny)
  const asks = compile(ask)
  // an argument that is allowed by a wildcard may be a command line: what hides behind its first command was not allowed
  const allows = compile(allow, shell)
  return ({ args, readOnly, tool }) => {
    if (denies(tool, args)) {
      return { _tag: "Deny", byRule: true, why: `the permissions deny ${tool} with these arguments` }
    }
    if (asks(tool, args)) return { _tag: "Ask", byRule: true }
    if (readOnly || allows(tool, args) || otherwise === "allow") return { _tag: "Allow" }
    return otherwise === "ask"
      ? { _tag: "Ask", byRule: false }
      : { _tag: "Deny", byRule: false, why: `no permission allows ${tool}` }
  }
}

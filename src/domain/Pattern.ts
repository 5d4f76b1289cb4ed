/**
 * A regular expression that comes from an agent, matched in linear time.
 *
 * The engine of JavaScript goes back and tries again: on `(a+)+$` a person's 40 characters would hold the event loop for hours. Here the
 * expression becomes a list of instructions whose states are all followed at once (Thompson's construction), so that a match costs
 * at most instructions times characters, and both are bounded. Refusing nested quantifiers would not do: `a*a*a*a*a*b` has none.
 *
 * What can be written is what JavaScript accepts with the flag `u`, without back-references and look-around, which no such
 * construction has. It matches anywhere in the text, as in JSON Schema.
 *
 * ```ts
 * Either.map(Pattern.compile("^[a-z]+$"), (pattern) => pattern.matches("abc")) // right(true)
 * ```
 *
 * @since 0.1.0
 */
import * as Either from "effect/Either"

/** @since 0.1.0 */
export interface Pattern {
  /** Of a text that is longer than `maxLength` it is not known, and the answer is no. */
  readonly matches: (text: string) => boolean
}

/** The longest text that is matched, in code points. @since 0.1.0 */
export const maxLength = 2000

/** The longest expression, in characters. */
const maxSource = 1000
/** What an expression may become: `[a-z]{1,500}` is a thousand instructions. */
const maxInstructions = 2000
/** What may be looked at to get there. */
const maxWork = 20_000

type Accepts = (codePoint: number) => boolean
type Holds = (before: number | undefined, after: number | undefined) => boolean

type Node =
  | { readonly _tag: "One"; readonly accepts: Accepts }
  | { readonly _tag: "Assertion"; readonly holds: Holds }
  | { readonly _tag: "Sequence"; readonly nodes: ReadonlyArray<Node> }
  | { readonly _tag: "Choice"; readonly nodes: ReadonlyArray<Node> }
  | { readonly _tag: "Repeat"; readonly node: Node; readonly min: number; readonly max: number }

/** Tells whether a character is in the class, by the engine's own word: one character cannot make it go back. */
const classOf = (atom: string): Accepts => {
  const one = new RegExp(`^${atom}$`, "u")
  const known = new Map<number, boolean>()
  return (codePoint) => {
    const before = known.get(codePoint)
    if (before !== undefined) return before
    const accepted = one.test(String.fromCodePoint(codePoint))
    known.set(codePoint, accepted)
    return accepted
  }
}

const isWord = (codePoint: number | undefined): boolean =>
  codePoint !== undefined && /^\w$/.test(String.fromCodePoint(codePoint))

const assertions: Readonly<Record<string, Holds>> = {
  "^": (before) => before === undefined,
  "$": (_, after) => after === undefined,
  "\\b": (before, after) => isWord(before) !== isWord(after),
  "\\B": (before, after) => isWord(before) === isWord(after)
}

/** The tokens of an expression that the engine has found to be well formed; of groups and classes only the edges matter. */
const token = new RegExp(
  [
    String.raw`\((?:\?(?:<?[=!]|<[^>]*>|[a-z]*(?:-[a-z]*)?:))?`, // the start of a group
    String.raw`\[(?:\\[^]|[^\]\\])*\]`, // a class
    String.raw`\\(?:u\{[^}]*\}|u[dD][89abAB]\w\w\\u[dD][c-fC-F]\w\w|u\w{4}|x\w\w|c\w|[pP]\{[^}]*\}|k<[^>]*>|\d+|[^])`,
    String.raw`(?:[*+?]|\{\d+(?:,\d*)?\})\??`, // a quantifier
    String.raw`[^]`
  ].join("|"),
  "uy"
)

const tokensOf = (source: string): ReadonlyArray<string> => {
  const tokens: Array<string> = []
  token.lastIndex = 0
  for (let match = token.exec(source); match !== null; match = token.exec(source)) tokens.push(match[0])
  return tokens
}

const bounds = (quantifier: string): readonly [min: number, max: number] => {
  switch (quantifier[0]) {
    case "*":
      return [0, Infinity]
    case "+":
      return [1, Infinity]
    case "?":
      return [0, 1]
    default: {
      const [, min = "", comma, max = ""] = /^\{(\d+)(,?)(\d*)\}/.exec(quantifier) ?? []
      return [Number(min), comma === "" ? Number(min) : max === "" ? Infinity : Number(max)]
    }
  }
}

const isQuantifier = (token: string | undefined): token is string =>
  token !== undefined && /^(?:[*+?]|\{\d)/.test(token)

const parse = (source: string): Either.Either<Node, string> => {
  const tokens = tokensOf(source)
  let at = 0
  let refused: string | undefined

  const atom = (text: string): Node => {
    const holds = assertions[text]
    if (holds !== undefined) return { _tag: "Assertion", holds }
    if (text.startsWith("(")) {
      if (/^\(\?(?:<?[=!]|[a-z-]+:)/.test(text)) {
        refused = `"${text}" cannot be checked: look-around and modifiers are not allowed`
      }
      const inside = choice()
      at++ // its ")"
      return inside
    }
    if (/^\\(?:[1-9]|k<)/.test(text)) refused = `"${text}" cannot be checked: back-references are not allowed`
    const codePoint = text.codePointAt(0)
    const literal = text === "." || text.startsWith("\\") || text.startsWith("[") ? undefined : codePoint
    return {
      _tag: "One",
      accepts: literal === undefined && refused === undefined ? classOf(text) : (given) => given === literal
    }
  }

  const sequence = (): Node => {
    const nodes: Array<Node> = []
    for (let text = tokens[at]; text !== undefined && text !== "|" && text !== ")"; text = tokens[at]) {
      at++
      const node = atom(text)
      const quantifier = tokens[at]
      if (isQuantifier(quantifier)) {
        at++
        const [min, max] = bounds(quantifier)
        nodes.push({ _tag: "Repeat", node, min, max })
      } else nodes.push(node)
    }
    return { _tag: "Sequence", nodes }
  }

  const choice = (): Node => {
    const nodes = [sequence()]
    while (tokens[at] === "|") {
      at++
      nodes.push(sequence())
    }
    return { _tag: "Choice", nodes }
  }

  const node = choice()
  return refused === undefined ? Either.right(node) : Either.left(refused)
}

type Instruction =
  | { readonly _tag: "One"; readonly accepts: Accepts; readonly next: number }
  | { readonly _tag: "Assertion"; readonly holds: Holds; readonly next: number }
  | { readonly _tag: "Fork"; next: ReadonlyArray<number> }
  | { readonly _tag: "Match" }

interface Program {
  readonly instructions: ReadonlyArray<Instruction>
  readonly start: number
}

/** Written from the end, so that each instruction knows the next. */
const toProgram = (root: Node): Either.Either<Program, string> => {
  const instructions: Array<Instruction> = [{ _tag: "Match" }]
  // what is empty has no instructions, and can be repeated as often: the work is bounded, not only its result
  let work = 0
  const tooLarge = () => work > maxWork || instructions.length > maxInstructions

  const add = (instruction: Instruction): number => instructions.push(instruction) - 1

  const emit = (node: Node, next: number): number => {
    work++
    if (tooLarge()) return next
    switch (node._tag) {
      case "One":
        return add({ _tag: "One", accepts: node.accepts, next })
      case "Assertion":
        return add({ _tag: "Assertion", holds: node.holds, next })
      case "Sequence":
        return node.nodes.reduceRight((next, node) => emit(node, next), next)
      case "Choice":
        return node.nodes.length === 1 && node.nodes[0] !== undefined
          ? emit(node.nodes[0], next)
          : add({ _tag: "Fork", next: node.nodes.map((node) => emit(node, next)) })
      case "Repeat": {
        let entry = next
        if (node.max === Infinity) {
          const again: Instruction = { _tag: "Fork", next: [] }
          entry = add(again)
          again.next = [emit(node.node, entry), next]
        } else {
          for (let i = node.min; i < node.max && !tooLarge(); i++) {
            entry = add({ _tag: "Fork", next: [emit(node.node, entry), next] })
          }
        }
        for (let i = 0; i < node.min && !tooLarge(); i++) entry = emit(node.node, entry)
        return entry
      }
    }
  }

  const start = emit(root, 0)
  return tooLarge()
    ? Either.left("it is too large to be checked: use fewer or smaller counts")
    : Either.right({ instructions, start })
}

const search = ({ instructions, start }: Program, text: string): boolean => {
  const codePoints = Array.from(text, (character) => character.codePointAt(0) ?? 0)
  if (codePoints.length > maxLength) return false
  const seenAt = new Int32Array(instructions.length).fill(-1)
  let reached: Array<number> = []
  for (let at = 0; at <= codePoints.length; at++) {
    const [before, after] = [codePoints[at - 1], codePoints[at]]
    const next: Array<number> = []
    // a match may begin anywhere
    reached.push(start)
    for (let index = reached.pop(); index !== undefined; index = reached.pop()) {
      const instruction = instructions[index]
      if (instruction === undefined || seenAt[index] === at) continue
      seenAt[index] = at
      switch (instruction._tag) {
        case "Match":
          return true
        case "Fork":
          for (const each of instruction.next) reached.push(each)
          break
        case "Assertion":
          if (instruction.holds(before, after)) reached.push(instruction.next)
          break
        case "One":
          if (after !== undefined && instruction.accepts(after)) next.push(instruction.next)
      }
    }
    reached = next
  }
  return false
}

/**
 * A left says why the expression cannot be used.
 *
 * @since 0.1.0
 */
export const compile = (source: string): Either.Either<Pattern, string> => {
  if (source.length > maxSource) {
    return Either.left(`it has ${source.length} characters; at most ${maxSource} are allowed`)
  }
  return Either.try({
    try: () => new RegExp(source, "u"),
    catch: () => "it is no regular expression (of JavaScript, with the flag u)"
  }).pipe(
    Either.flatMap(() => parse(source)),
    Either.flatMap(toProgram),
    Either.map((program) => ({ matches: (text) => search(program, text) }))
  )
}

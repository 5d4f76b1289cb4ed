import { describe, expect, it } from "@effect/vitest"
import * as Either from "effect/Either"
import * as FastCheck from "effect/FastCheck"
import * as Pattern from "../../src/domain/Pattern.js"
import "../seed.js"

const matches = (source: string, text: string) => Either.getOrThrow(Pattern.compile(source)).matches(text)
const refusal = (source: string) => Either.getOrThrow(Either.flip(Pattern.compile(source)))

/** An expression over a small alphabet, of everything that is allowed. */
const expression: FastCheck.Arbitrary<string> = FastCheck.letrec<{ atom: string; term: string; all: string }>((
  tie
) => ({
  atom: FastCheck.oneof(
    { maxDepth: 4 },
    FastCheck.constantFrom(
      "a",
      "b",
      ".",
      "\\d",
      "\\w",
      "\\W",
      "[ab]",
      "[^a]",
      "[a-c1]",
      "[\\]]",
      "\\u0061",
      "\\u{1F600}",
      "😀",
      "\\.",
      "\\x61",
      "\\p{L}",
      "é"
    ),
    FastCheck.constantFrom("^", "$", "\\b", "\\B"),
    tie("all").map((inside) => `(${inside})`),
    tie("all").map((inside) => `(?:${inside})`),
    tie("all").map((inside) => `(?<n>${inside.replaceAll("?<n>", "?:")})`)
  ),
  term: FastCheck.oneof(
    tie("atom"),
    FastCheck.tuple(
      tie("atom").filter((atom) => !/^(?:\^|\$|\\b|\\B)$/.test(atom)),
      FastCheck.constantFrom("*", "+", "?", "{2}", "{1,}", "{0,2}", "*?", "+?", "{1,2}?")
    ).map(([atom, quantifier]) => atom + quantifier)
  ),
  all: FastCheck.array(FastCheck.array(tie("term"), { maxLength: 3 }).map((terms) => terms.join("")), {
    minLength: 1,
    maxLength: 2
  }).map((branches) => branches.join("|"))
})).all.filter((source) => {
  // a name is there once
  return source.split("?<n>").length <= 2
})

const text = FastCheck.array(FastCheck.constantFrom("a", "b", "c", "1", ".", " ", "😀", "é", "\n", "]", "\ud83d"), {
  maxLength: 7
})
  .map((characters) => characters.join(""))

describe("EB7 patterns", () => {
  it("a pattern says what the engine's own regular expression says", () => {
    FastCheck.assert(
      FastCheck.property(expression, FastCheck.array(text, { minLength: 1, maxLength: 5 }), (source, texts) => {
        const own = new RegExp(source, "u")
        const pattern = Either.getOrThrow(Pattern.compile(source))
        // the engine finds an end of a word also between the halves of a character, where there is none
        const whole = /\\[bB]/.test(source) ? texts.map((each) => each.replace(/[^\0-\ud7ff]/gu, "")) : texts
        for (const each of whole) expect([each, pattern.matches(each)]).toStrictEqual([each, own.test(each)])
      }),
      { numRuns: 2000 }
    )
  })

  it("the patterns that agents send are understood", () => {
    expect(matches("^[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+\\.[A-Za-z]{2,}$", "a@b.org")).toBe(true)
    expect(matches("^\\+?[1-9]\\d{1,14}$", "+4930123456")).toBe(true)
    expect(matches("^(?:[0-9a-f]{2}:){5}[0-9a-f]{2}$", "00:1a:2b:3c:4d:5e")).toBe(true)
    expect(matches("^v?\\d+\\.\\d+\\.\\d+(?:-[0-9A-Za-z.-]+)?$", "v1.2.3-rc.1")).toBe(true)
    expect(matches("^\\p{Lu}\\p{Ll}*$", "Émile")).toBe(true)
    expect(matches("^[a-z]{1,500}$", "a".repeat(500))).toBe(true)
    expect(matches("^[a-z]{1,500}$", "a".repeat(501))).toBe(false)
    expect(matches("^[\\ud83d\\ude00]$", "😀")).toBe(true)
  })

  it("it matches anywhere in the text", () => {
    expect(matches("b", "abc")).toBe(true)
    expect(matches("", "")).toBe(true)
    expect(matches("^$", "")).toBe(true)
    expect(matches("^$", "\n")).toBe(false)
  })

  it("what cannot be matched in linear time is refused, with the reason", () => {
    for (const source of ["(a)\\1", "(?<x>a)\\k<x>"]) expect(refusal(source)).toContain("back-references")
    for (const source of ["(?=a)", "(?!a)", "(?<=a)b", "(?<!a)b", "^(?=.*\\d).+$"]) {
      expect(refusal(source)).toContain("look-around")
    }
    for (const source of ["(", "[", "a**", "\\", "{", "a{2,1}", "\\@", "(?<x>a)(?<x>b)(?<x>c)"]) {
      expect(refusal(source)).toContain("no regular expression")
    }
  })

  it("what becomes too large is refused at once", () => {
    const start = performance.now()
    for (
      const source of [
        "a{2000}",
        "(((a{30}){30}){30}){30}",
        "((((){9999}){9999}){9999}){9999}",
        "(?:(?:a{0,9999}){0,9999}){0,9999}",
        "(?:(?:a{9999,}){9999,}){9999,}",
        "a{999999999999999999999}"
      ]
    ) {
      expect(refusal(source)).toContain("too large")
    }
    expect(refusal("a".repeat(1001))).toContain("at most 1000")
    expect(refusal("(".repeat(400) + "a".repeat(300) + ")*".repeat(400))).toContain("at most 1000")
    expect(Either.isRight(Pattern.compile("(".repeat(300) + "a" + ")*".repeat(300)))).toBe(true)
    expect(performance.now() - start).toBeLessThan(10_000)
  })

  it("no pattern holds the event loop, whatever the text", () => {
    const hostile = [
      "(a+)+$",
      "(a|a)*$",
      "(a*)*b",
      "a*a*a*a*a*a*a*a*b",
      "^(([a-z])+.)+[A-Z]([a-z])+$",
      "(.*)(.*)(.*)(.*)(.*)x",
      "(?:a?){400}a{400}b",
      "(\\w+\\s*)+:",
      "^(?:\\p{L}|\\w)*!$",
      "[a-z]{900}[a-z]{900}b"
    ]
    const start = performance.now()
    for (const source of hostile) {
      expect(matches(source, "a".repeat(Pattern.maxLength))).toBe(
        source.endsWith("+$") && source[0] === "(" || source === "(a|a)*$"
      )
    }
    expect(performance.now() - start).toBeLessThan(20_000)
  })

  it("a text that is too long is no match, and takes no time", () => {
    expect(matches("a", "a".repeat(Pattern.maxLength))).toBe(true)
    expect(matches("a", "a".repeat(Pattern.maxLength + 1))).toBe(false)
    const start = performance.now()
    expect(matches("a*a*a*b", "a".repeat(5_000_000))).toBe(false)
    expect(performance.now() - start).toBeLessThan(10_000)
  })
})

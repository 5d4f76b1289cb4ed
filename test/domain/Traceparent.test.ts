import { expect, it } from "@effect/vitest"
import * as Option from "effect/Option"
import { leakFreeFile } from "holdfast/testing/vitest"
import * as Traceparent from "../../src/domain/Traceparent.js"

leakFreeFile()

const trace = "0af7651916cd43dd8448eb211c80319c"
const span = "b7ad6b7169203331"

it("a traceparent header that makes sense has its parts", () => {
  for (const [flags, sampled] of [["00", false], ["01", true], ["03", true], ["02", false]] as const) {
    const read = Option.getOrThrow(Traceparent.fromHeader(`00-${trace}-${span}-${flags}`))
    expect(Traceparent.parts(read)).toEqual({ traceId: trace, spanId: span, sampled })
  }
})

it("one that makes none says nothing", () => {
  const wrong: ReadonlyArray<unknown> = [
    undefined,
    "",
    "x",
    `ff-${trace}-${span}-01`,
    `00-${"0".repeat(32)}-${span}-01`,
    `00-${trace}-${"0".repeat(16)}-01`,
    `00-${trace.toUpperCase()}-${span}-01`,
    `00-${trace}-${span}`,
    `00-${trace}-${span}-01-more`,
    `00-${trace}-${span}-01\nx: y`
  ]
  expect(wrong.filter((header) => Option.isSome(Traceparent.fromHeader(header)))).toEqual([])
})

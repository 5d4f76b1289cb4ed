import { expect, it } from "@effect/vitest"
import * as Random from "../../../scripts/soak/Random.js"

const draw = (seed: number, name: string) => {
  const random = Random.make(seed, name)
  return Array.from({ length: 1000 }, random.next)
}

it("the same seed and name give the same numbers, another seed or name others", () => {
  expect(draw(1, "a")).toEqual(draw(1, "a"))
  expect(draw(1, "a")).not.toEqual(draw(2, "a"))
  expect(draw(1, "a")).not.toEqual(draw(1, "b"))
})

it("numbers are spread over their range, and weights and gaps are kept in the mean", () => {
  const numbers = draw(1, "a")
  expect(numbers.every((number) => number >= 0 && number < 1)).toBe(true)
  expect(numbers.reduce((sum, number) => sum + number) / 1000).toBeCloseTo(0.5, 1)
  const random = Random.make(1, "b")
  const names = Array.from({ length: 1000 }, () => random.weighted({ often: 9, seldom: 1 }))
  expect(names.filter((name) => name === "seldom").length / 1000).toBeCloseTo(0.1, 1)
  const gaps = Array.from({ length: 1000 }, () => random.gap(10))
  expect(Math.round(gaps.reduce((sum, gap) => sum + gap) / 1000)).toBeCloseTo(10, -1)
})

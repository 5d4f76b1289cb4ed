import { describe, expect, it } from "@effect/vitest"
import * as FastCheck from "effect/FastCheck"
import { formats, isWebAddress } from "../../src/domain/Formats.js"
import "../seed.js"

/** Those that are not of the format. */
const strangers = (format: string, texts: ReadonlyArray<string>) =>
  texts.filter((text) => formats.get(format)?.(text) === false)

const all = (format: string, good: ReadonlyArray<string>, bad: ReadonlyArray<string>) => {
  expect(strangers(format, good)).toStrictEqual([])
  expect(strangers(format, bad)).toStrictEqual(bad)
}

describe("EB7 formats", () => {
  it("a date is one that the calendar has", () =>
    all(
      "date",
      ["2026-11-21", "2024-02-29", "2000-02-29", "0001-01-01", "9999-12-31", "2026-04-30"],
      [
        "2026-02-30",
        "2025-02-29",
        "1900-02-29",
        "2026-13-01",
        "2026-00-10",
        "2026-01-00",
        "2026-04-31",
        "2026-1-1",
        "26-01-01",
        "2026-11-21T00:00:00Z",
        " 2026-11-21",
        ""
      ]
    ))

  it("every day of the calendar is a date", () => {
    FastCheck.assert(FastCheck.property(
      FastCheck.date({ min: new Date("0001-01-01"), max: new Date("9999-12-31"), noInvalidDate: true }),
      (date) => {
        const text = date.toISOString()
        expect(formats.get("date")?.(text.slice(0, 10))).toBe(true)
        expect(formats.get("date-time")?.(text)).toBe(true)
      }
    ))
  })

  it("a date-time has an offset and a time that exists", () =>
    all(
      "date-time",
      [
        "2026-11-21T02:00:00Z",
        "2026-11-21t02:00:00z",
        "2026-11-21T23:59:59.999+14:00",
        "1990-12-31T23:59:60Z",
        "1990-12-31T15:59:60-08:00"
      ],
      [
        "2026-11-21",
        "2026-11-21T02:00:00",
        "2026-02-30T02:00:00Z",
        "2026-11-21T24:00:00Z",
        "2026-11-21T02:60:00Z",
        "2026-11-21T02:00:61Z",
        "1990-12-31T12:00:60Z",
        "2026-11-21T02:00:00+24:00",
        "2026-11-21 02:00:00Z",
        "2026-11-21T02:00Z"
      ]
    ))

  it("an email has one place to go to", () =>
    all(
      "email",
      ["a@b.org", "first.last+tag@sub.example.co.uk", "o'brien@example.org", "ü@bücher.example"],
      [
        "a@b",
        "a b@c.org",
        "@b.org",
        "a@",
        "a@b..org",
        "a@-b.org",
        "a@b.org.",
        "a..b@c.org",
        ".a@b.org",
        "a@b@c.org",
        "a@b c.org",
        "<a@b.org>",
        `${"a".repeat(65)}@b.org`,
        `a@${"b.".repeat(130)}org`
      ]
    ))

  it("a uri has a scheme and nothing that a uri cannot hold", () =>
    all(
      "uri",
      ["https://a.org/x?y=1#z", "mailto:a@b.org", "urn:isbn:0451450523", "http://[::1]:8080/", "file:///etc/hosts"],
      [
        "a.org",
        "//a.org/x",
        "/x",
        "https://",
        "https://a b.org",
        "https://a.org/<x>",
        "http://a.org/%zz",
        "http://[::1",
        "1http://a.org",
        ""
      ]
    ))

  it("a person is sent to the web and nowhere else", () => {
    const bad = [
      "javascript:alert(1)",
      "file:///etc/passwd",
      "data:text/html,x",
      "ftp://a.org",
      "http:a.org",
      "https:/a.org",
      " https://a.org",
      "https://a.org/\n",
      "/x",
      "https://"
    ]
    expect(["https://a.org", "http://127.0.0.1:4455/x", "HTTPS://A.ORG/"].filter(isWebAddress)).toHaveLength(3)
    expect(bad.filter(isWebAddress)).toStrictEqual([])
  })

  it("no text takes long to judge", () => {
    const hostile = [
      "a@" + ".".repeat(100_000) + "@",
      "a".repeat(100_000),
      "a:" + "%".repeat(100_000),
      "1".repeat(100_000)
    ]
    const start = performance.now()
    for (const check of formats.values()) for (const text of hostile) check(text)
    expect(performance.now() - start).toBeLessThan(10_000)
  })
})

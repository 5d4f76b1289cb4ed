/**
 * Faults of what was decoded, one a path, without the values that are at fault (EB11).
 *
 * @since 0.1.0
 */
import * as ParseResult from "effect/ParseResult"
import type { AnswerIssue } from "./Form.js"

/** Of several things that were expected in one place the first is told. @since 0.1.0 */
export const ofError = (
  error: ParseResult.ParseError,
  above: ReadonlyArray<string> = []
): ReadonlyArray<AnswerIssue> => {
  const issues = new Map<string, AnswerIssue>()
  for (const { message, path } of ParseResult.ArrayFormatter.formatErrorSync(error)) {
    const issue = { path: [...above, ...path.map(String)], message: message.replace(/, actual .*$/s, "") }
    const place = JSON.stringify(issue.path)
    // these stand for what is left out, and are never what was wanted
    if (!issues.has(place) && !/^Expected (null|undefined)/.test(message)) issues.set(place, issue)
  }
  return [...issues.values()]
}

/** @since 0.1.0 */
export const below =
  (...above: ReadonlyArray<string>) => (issues: ReadonlyArray<AnswerIssue>): ReadonlyArray<AnswerIssue> =>
    issues.map(({ message, path }) => ({ path: [...above, ...path], message }))

/** In one line. @since 0.1.0 */
export const toText = (issues: ReadonlyArray<AnswerIssue>): string =>
  issues.map(({ message, path }) => path.length === 0 ? message : `${path.join(".")}: ${message}`).join("; ")

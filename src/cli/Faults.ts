/**
 * What is wrong with a configuration, in the words of whoever wrote it: one fault for each place, that says what would be right.
 *
 * @since 0.1.0
 */
import * as Arr from "effect/Array"
import * as Option from "effect/Option"
import * as Order from "effect/Order"
import type * as ParseResult from "effect/ParseResult"
import * as Predicate from "effect/Predicate"
import * as AST from "effect/SchemaAST"

type Path = ReadonlyArray<PropertyKey>

/** @since 0.1.0 */
export interface Fault {
  readonly path: Path
  readonly message: string
}

/** `must`: what it must be; `message`: the schema's own words for that. */
type Found =
  & { readonly path: Path }
  & (
    | { readonly must: string; readonly actual: unknown; readonly message?: never }
    | { readonly message: string; readonly must?: never }
  )

const quoted = (names: ReadonlyArray<PropertyKey>) => names.map(String).join(", ")

/** What a value is, for people. */
const words = (ast: AST.AST): string => {
  switch (ast._tag) {
    case "StringKeyword":
      return "a text"
    case "NumberKeyword":
      return "a number"
    case "BooleanKeyword":
      return "true or false"
    case "Literal":
      return JSON.stringify(ast.literal)
    case "TupleType":
      return "a list"
    case "TypeLiteral": {
      const needed = ast.propertySignatures.flatMap(({ isOptional, name }) => isOptional ? [] : [name])
      return needed.length === 0 ? "an object" : `an object with ${quoted(needed)}`
    }
    case "Union":
      return Arr.dedupe(ast.types.filter(canBeWritten).map(words)).join(" or ")
    case "Refinement":
      return Option.contains(AST.getIdentifierAnnotation(ast), "NonEmptyString")
        ? "a text that is not empty"
        : Option.getOrElse(AST.getDescriptionAnnotation(ast), () => words(ast.from))
    case "Transformation":
      return words(ast.from)
    default:
      return String(ast)
  }
}

/** Neither what only a program can give, nor that nothing was given, which is no value in a file. */
const canBeWritten = ({ _tag }: AST.AST): boolean => _tag !== "Declaration" && _tag !== "UndefinedKeyword"

const isOfFile = (form: ParseResult.ParseIssue): boolean => form._tag !== "Type" || canBeWritten(form.ast)

/** Of what is large, and may hold what is not for everybody's eyes, its kind is told: also of a text where an object is due, as headers are. */
const shown = (actual: unknown, must: string): string =>
  Array.isArray(actual)
    ? "a list"
    : Predicate.isRecord(actual)
    ? "an object"
    : typeof actual === "string" && must.startsWith("an object")
    ? "a text"
    : JSON.stringify(actual) ?? "nothing"

/** The words that the schema has for its faults. */
const annotated = (
  issue: ParseResult.Type | ParseResult.Refinement | ParseResult.Transformation | ParseResult.Composite
) =>
  Option.flatMap(AST.getMessageAnnotation(issue.ast), (annotation) => {
    const said = annotation(issue)
    if (typeof said === "string") return Option.some(said)
    return "message" in said && typeof said.message === "string" ? Option.some(said.message) : Option.none()
  })

/** Of a value that may have several forms, the faults of the form that it is nearest to. */
const nearest = (forms: ReadonlyArray<ReadonlyArray<Found>>, path: Path): ReadonlyArray<Found> => {
  const deep = forms.filter((faults) => faults.some((fault) => fault.path.length !== path.length))
  const best = Arr.sortWith(deep, ({ length }) => length, Order.number)[0]
  if (best !== undefined) return best
  const flat = forms.flat()
  const [first] = flat
  if (first === undefined) return []
  const own = flat.find(({ message }) => message !== undefined)
  if (own !== undefined || first.must === undefined) return [own ?? first]
  return [{ ...first, must: Arr.dedupe(flat.flatMap(({ must }) => must ?? [])).join(" or ") }]
}

const found = (issue: ParseResult.ParseIssue, path: Path): ReadonlyArray<Found> => {
  switch (issue._tag) {
    case "Pointer":
      return found(issue.issue, [...path, ...Array.isArray(issue.path) ? issue.path : [issue.path]])
    case "Missing":
      return [{ path, message: "is missing" }]
    case "Unexpected":
      return [{ path, message: issue.message ?? "is unexpected" }]
    case "Forbidden":
      return [{ path, message: issue.message ?? "is not allowed" }]
    default: {
      const message = annotated(issue)
      if (Option.isSome(message)) return [{ path, message: message.value }]
    }
  }
  switch (issue._tag) {
    case "Type":
      return issue.message === undefined
        ? [{ path, must: words(issue.ast), actual: issue.actual }]
        : [{ path, message: issue.message }]
    case "Refinement": {
      const inner = found(issue.issue, path)
      // that a text is none says less than what text it should be
      return inner.every(({ must }) => must !== undefined) && inner.length === 1
        ? [{ path, must: words(issue.ast), actual: issue.actual }]
        : inner
    }
    case "Transformation":
      return found(issue.issue, path)
    case "Composite": {
      const all = Arr.ensure(issue.issues)
      if (!AST.isUnion(issue.ast)) return all.flatMap((each) => found(each, path))
      return nearest(all.filter(isOfFile).map((each) => found(each, path)), path)
    }
  }
}

/** In the order of the schema; one for each place. @since 0.1.0 */
export const ofIssue = (issue: ParseResult.ParseIssue): ReadonlyArray<Fault> =>
  Arr.dedupeWith(found(issue, []), (a, b) => a.path.join(".") === b.path.join("."))
    .map(({ path, ...fault }) => ({
      path,
      message: fault.must === undefined
        ? fault.message
        : `must be ${fault.must}, not ${shown(fault.actual, fault.must)}`
    }))

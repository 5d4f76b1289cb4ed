/**
 * How a key's restarts are paced, and the defaults.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"

/**
 * What is left out has its default.
 *
 * @since 0.1.0
 */
export interface Policy {
  /** For how long a cycle that has succeeded covers each `failed` (RC9); 10 seconds. */
  readonly settle?: Duration.DurationInput | undefined
  /**
   * How long a key waits after a cycle that failed (RC8): a random time up to `base · factor^(failures in a row - 1)`, and never more than
   * `cap`. 1 second, 2, 30 seconds.
   */
  readonly backoff?: {
    readonly base?: Duration.DurationInput | undefined
    readonly factor?: number | undefined
    readonly cap?: Duration.DurationInput | undefined
  } | undefined
  /** More than `max` failing cycles `within` this time open the circuit (RC8); 5, 5 minutes. */
  readonly intensity?: {
    readonly max?: number | undefined
    readonly within?: Duration.DurationInput | undefined
  } | undefined
  /** How long the circuit stays open, unless a person asks; 1 minute. */
  readonly coolDown?: Duration.DurationInput | undefined
}

/** A policy as the state machine takes it: whole milliseconds, nothing left out. @since 0.1.0 */
export interface Rules {
  readonly settle: number
  readonly backoff: { readonly base: number; readonly factor: number; readonly cap: number }
  readonly intensity: { readonly max: number; readonly within: number }
  readonly coolDown: number
}

/** A policy that makes no sense: a bug of the one who wrote it, so it comes as a defect. @since 0.1.0 */
export class RestartPolicyInvalid extends Schema.TaggedError<RestartPolicyInvalid>()("RestartPolicyInvalid", {
  issues: Schema.Array(Schema.String),
  message: Schema.String
}) {}

const show = (value: unknown): string => typeof value === "string" ? JSON.stringify(value) : String(value)

/** `Duration` takes what is negative or no number for zero; here it is a mistake. */
const isNonsense = (input: unknown): boolean =>
  typeof input === "number"
    ? !(input >= 0)
    : typeof input === "bigint"
    ? input < 0n
    : typeof input === "string"
    ? input.trim().startsWith("-")
    : Array.isArray(input) && input.some(isNonsense)

/**
 * The rules of a policy. Throws `RestartPolicyInvalid` with all that is wrong with it.
 *
 * @since 0.1.0
 */
export const unsafeRules = (policy: Policy): Rules => {
  const issues: Array<string> = []
  const millis = (name: string, input: Duration.DurationInput | undefined, otherwise: number): number => {
    if (input === undefined) return otherwise
    const decoded = isNonsense(input) ? Option.none() : Duration.decodeUnknown(input)
    if (Option.isSome(decoded) && Duration.isFinite(decoded.value)) return Math.ceil(Duration.toMillis(decoded.value))
    issues.push(`${name} is ${show(input)}; it has to be a finite duration of zero or more`)
    return otherwise
  }
  const settle = millis("settle", policy.settle, 10_000)
  const base = millis("backoff.base", policy.backoff?.base, 1_000)
  const cap = millis("backoff.cap", policy.backoff?.cap, Math.max(30_000, base))
  const within = millis("intensity.within", policy.intensity?.within, 300_000)
  const coolDown = millis("coolDown", policy.coolDown, 60_000)
  const factor = policy.backoff?.factor ?? 2
  const max = policy.intensity?.max ?? 5
  if (!(factor >= 1 && Number.isFinite(factor))) {
    issues.push(`backoff.factor is ${show(factor)}; it has to be a number of 1 or more`)
  }
  if (cap < base) {
    issues.push(`backoff.cap (${cap} ms) is less than backoff.base (${base} ms); it has to be as much or more`)
  }
  if (!(Number.isSafeInteger(max) && max >= 1)) {
    issues.push(`intensity.max is ${show(max)}; it has to be a whole number of 1 or more`)
  }
  if (issues.length > 0) {
    throw new RestartPolicyInvalid({ issues, message: `the restart policy makes no sense: ${issues.join("; ")}` })
  }
  return { settle, backoff: { base, factor, cap }, intensity: { max, within }, coolDown }
}

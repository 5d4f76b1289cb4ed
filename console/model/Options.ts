/**
 * The options that an agent offers, out of what the protocol lets it send. Pure.
 *
 * @see https://agentclientprotocol.com/protocol/session-config-options
 */

export interface Choice {
  readonly value: string
  readonly name: string
  readonly description: string | undefined
  readonly group: string | undefined
}

interface Base {
  readonly id: string
  readonly name: string
  readonly description: string | undefined
}

export type Option =
  | Base & { readonly kind: "select"; readonly value: string; readonly choices: ReadonlyArray<Choice> }
  | Base & { readonly kind: "boolean"; readonly value: boolean }

type Fields = Readonly<Record<string, unknown>>

const isFields = (value: unknown): value is Fields => typeof value === "object" && value !== null
const text = (value: unknown): string | undefined => typeof value === "string" ? value : undefined

const choice = (value: unknown, group: string | undefined): ReadonlyArray<Choice> => {
  if (!isFields(value) || typeof value["value"] !== "string") return []
  const { description, name } = value
  return [{ value: value["value"], name: text(name) ?? value["value"], description: text(description), group }]
}

const choices = (value: unknown): ReadonlyArray<Choice> =>
  Array.isArray(value)
    ? value.flatMap((each) =>
      isFields(each) && Array.isArray(each["options"])
        ? each["options"].flatMap((inner) => choice(inner, text(each["name"]) ?? text(each["group"])))
        : choice(each, undefined)
    )
    : []

/** Those that can be shown; what is not understood is left out. */
export const parse = (options: ReadonlyArray<unknown>): ReadonlyArray<Option> =>
  options.flatMap((option): ReadonlyArray<Option> => {
    if (!isFields(option) || typeof option["id"] !== "string") return []
    const { currentValue: value, description, id, name } = option
    const base = { id, name: text(name) ?? id, description: text(description) }
    if (typeof value === "boolean") return [{ ...base, kind: "boolean", value }]
    const offered = choices(option["options"])
    return typeof value === "string" && offered.length > 0 ? [{ ...base, kind: "select", value, choices: offered }] : []
  })

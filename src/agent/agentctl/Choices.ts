/**
 * What of an agent can be chosen: its options, and its model, which is one of them for who sees it. The host tells the two together, not
 * always whole.
 *
 * @since 0.1.0
 */
import * as Predicate from "effect/Predicate"
import type { AgentEvent } from "../../domain/AgentEvent.js"
import { type Fields, string } from "./Wire.js"

/** The option by which the model is chosen, where the agent has none for that. */
const model = "model"

/** @since 0.1.0 */
export interface Choices {
  /** What is new in it. */
  readonly tell: (fields: Fields) => ReadonlyArray<AgentEvent>
  /** The request that chooses. */
  readonly choose: (
    option: string,
    value: string | boolean
  ) => { readonly action: string; readonly payload: Fields }
}

const records = (value: unknown): ReadonlyArray<Fields> => Array.isArray(value) ? value.filter(Predicate.isRecord) : []

/** The host writes it in its own way. */
const toOption = ({ current_value: currentValue, ...option }: Fields): Fields => ({
  ...option,
  ...(currentValue === undefined ? {} : { currentValue })
})

/** @since 0.1.0 */
export const make = (): Choices => {
  let options: ReadonlyArray<Fields> = []
  let models: ReadonlyArray<Fields> = []
  let current: string | undefined
  let told = "[]"

  const ownModel = () => options.some(({ category, id }) => id === model || category === model)

  return {
    tell: (fields) => {
      const offered = fields["session_models"] ?? fields["models"]
      if (Array.isArray(offered)) models = records(offered)
      if (Array.isArray(fields["config_options"])) options = records(fields["config_options"]).map(toOption)
      current = string(fields["current_model_id"]) || current
      const all = models.length === 0 || ownModel() ? options : [{
        id: model,
        name: "Model",
        category: model,
        type: "select",
        ...(current === undefined ? {} : { currentValue: current }),
        options: models.map(({ description, model_id, name }) => ({
          value: model_id,
          name,
          ...(description === undefined ? {} : { description })
        }))
      }, ...options]
      const now = JSON.stringify(all)
      if (now === told) return []
      told = now
      return [{ type: "ConfigChanged", options: all }]
    },
    choose: (option, value) =>
      option === model && models.length > 0 && !ownModel()
        ? { action: "agent.session.set_model", payload: { model_id: String(value) } }
        : { action: "agent.session.set_config_option", payload: { config_id: option, value: String(value) } }
  }
}

/** What the agent lets one choose, its mode first, and how much of its memory is used. */
import type { Conversation } from "../model/Conversation.js"
import type * as Options from "../model/Options.js"
import { gateway } from "../state/Access.js"
import type { OpenSession } from "../state/OpenSession.js"

const Picker = ({ choices, label, onPick, value }: {
  readonly label: string
  readonly value: string
  readonly choices: ReadonlyArray<Options.Choice>
  readonly onPick: (value: string) => void
}) => {
  const groups = [...new Set(choices.map(({ group }) => group))]
  const ofGroup = (group: string | undefined) =>
    choices.filter((choice) => choice.group === group).map(({ description, name, value }) => (
      <option key={value} value={value} title={description}>{name}</option>
    ))
  return (
    <label class="picker" title={label}>
      <span class="unseen">{label}</span>
      <select value={value} onChange={({ currentTarget }) => onPick(currentTarget.value)}>
        {groups.map((group) =>
          group === undefined ? ofGroup(group) : <optgroup key={group} label={group}>{ofGroup(group)}</optgroup>
        )}
      </select>
    </label>
  )
}

const compact = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 })

const Usage = ({ usage }: { readonly usage: NonNullable<Conversation["usage"]> }) => {
  const { cost, size, used } = usage
  const share = size > 0 ? Math.min(100, 100 * used / size) : 0
  const spent = cost === undefined
    ? ""
    : ` · ${
      new Intl.NumberFormat("en", {
        style: "currency",
        currency: currencyOf(cost.currency),
        maximumSignificantDigits: 2
      }).format(cost.amount)
    }`
  const whole = `${used.toLocaleString("en")} of ${size.toLocaleString("en")} tokens are used${spent}`
  return (
    <span class="usage" title={whole}>
      <svg viewBox="0 0 16 16" aria-hidden>
        <circle cx="8" cy="8" r="6" />
        <circle
          class="used"
          cx="8"
          cy="8"
          r="6"
          pathLength={100}
          stroke-dasharray={`${Math.max(share, used > 0 ? 1.5 : 0)} 100`}
        />
      </svg>
      <span aria-hidden>{compact.format(used)} / {compact.format(size)}{spent}</span>
      <span class="unseen">{whole}</span>
    </span>
  )
}

/** Three letters, or the formatter throws. */
const currencyOf = (code: string) => /^[A-Za-z]{3}$/.test(code) ? code : "XXX"

export const Settings = (
  { conversation, session }: { readonly session: OpenSession; readonly conversation: Conversation }
) => {
  const { mode, modes, options, phase, usage } = conversation
  const set = (act: () => Promise<void>) => void session.command(act)
  const open = phase !== "closed"
  return (
    <div class="settings">
      {open && mode !== undefined && modes.length > 1 && (
        <Picker
          label="Mode"
          value={mode}
          choices={modes.map(({ description, id, name }) => ({ value: id, name, description, group: undefined }))}
          onPick={(modeId) => set(() => gateway.setMode(session.id, modeId))}
        />
      )}
      {open && options.map((option) =>
        option.kind === "select"
          ? (
            <Picker
              key={option.id}
              label={option.name}
              value={option.value}
              choices={option.choices}
              onPick={(value) => set(() => gateway.setOption(session.id, option.id, value))}
            />
          )
          : (
            <label key={option.id} class="picker" title={option.description}>
              <input
                type="checkbox"
                checked={option.value}
                onChange={({ currentTarget }) =>
                  set(() => gateway.setOption(session.id, option.id, currentTarget.checked))}
              />
              {option.name}
            </label>
          )
      )}
      {usage !== undefined && <Usage usage={usage} />}
    </div>
  )
}

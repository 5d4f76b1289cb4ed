/** A form made of its schema. What does not fit comes back from the gateway, to the field that it is about. */
import type { ComponentChildren } from "preact"
import { useEffect, useId, useMemo, useRef, useState } from "preact/hooks"
import type { AnswerIssue, FormSchema } from "../../src/domain/Form.js"
import * as Form from "../model/Form.js"
import { answers } from "../state/Drafts.js"

interface Control {
  readonly field: Form.Field
  readonly value: Form.Value
  readonly secret: boolean
  readonly onChange: (value: Form.Value) => void
  /** Of what describes it: hint and error. */
  readonly described: {
    readonly "aria-describedby"?: string
    readonly "aria-invalid"?: true
    readonly "aria-required"?: true
  }
  readonly id: string
}

/** So many choices are shown at once; more are in a menu. */
const shown = 6

const Text = ({ described, field: { control, name }, id, onChange, secret, value }: Control) => {
  const common = {
    id,
    name,
    value: typeof value === "string" ? value : "",
    autoComplete: "off",
    onInput: ({ currentTarget }: { readonly currentTarget: { readonly value: string } }) =>
      onChange(currentTarget.value),
    ...described
  }
  if (secret) return <input {...common} type="password" />
  if (control._tag === "Number") {
    return <input {...common} type="text" class="number" inputMode={control.integer ? "numeric" : "decimal"} />
  }
  switch (control._tag === "Text" ? control.type : "text") {
    case "email":
      return <input {...common} type="email" />
    case "url":
      return <input {...common} type="url" />
    case "date":
      return <input {...common} type="date" />
    case "datetime-local":
      return <input {...common} type="datetime-local" step={1} />
    case "text":
      return control._tag === "Text" && control.long
        ? <textarea {...common} rows={4} />
        : <input {...common} type="text" />
  }
}

const Choice = ({ checked, choice, id, name, onChange, type }: {
  readonly type: "radio" | "checkbox"
  readonly id: string
  readonly name: string
  readonly choice: Form.Choice
  readonly checked: boolean
  readonly onChange: (checked: boolean) => void
}) => (
  <label class="choice">
    <input
      type={type}
      name={`${id}-${name}`}
      checked={checked}
      onChange={({ currentTarget }) => onChange(currentTarget.checked)}
    />
    <span>
      {choice.title}
      {choice.description !== undefined && <small>{choice.description}</small>}
    </span>
  </label>
)

const One = (
  { choices, described, field, id, onChange, value }: Control & { readonly choices: ReadonlyArray<Form.Choice> }
) => {
  if (choices.length > shown) {
    return (
      <select
        id={id}
        name={field.name}
        value={choices.findIndex((choice) => choice.value === value)}
        {...described}
        onChange={({ currentTarget }) => onChange(choices[Number(currentTarget.value)]?.value)}
      >
        <option value={-1}>{field.required ? "Choose…" : "No choice"}</option>
        {choices.map(({ title, value }, index) => <option key={value} value={index}>{title}</option>)}
      </select>
    )
  }
  return (
    <div class="choices">
      {choices.map((choice) => (
        <Choice
          key={choice.value}
          type="radio"
          id={id}
          name={field.name}
          choice={choice}
          checked={choice.value === value}
          onChange={() => onChange(choice.value)}
        />
      ))}
      {!field.required && value !== undefined && (
        <button type="button" class="more" onClick={() => onChange(undefined)}>Clear</button>
      )}
    </div>
  )
}

const Many = ({ choices, field, id, onChange, value }: Control & { readonly choices: ReadonlyArray<Form.Choice> }) => {
  const taken = Array.isArray(value) ? value : []
  // in the order in which they are offered
  const toggle = (choice: string, on: boolean) =>
    onChange(choices.map((each) => each.value).filter((each) => each === choice ? on : taken.includes(each)))
  return (
    <div class="choices">
      {choices.map((choice) => (
        <Choice
          key={choice.value}
          type="checkbox"
          id={id}
          name={field.name}
          choice={choice}
          checked={taken.includes(choice.value)}
          onChange={(on) => toggle(choice.value, on)}
        />
      ))}
    </div>
  )
}

const grouped = ({ control }: Form.Field) =>
  control._tag === "Many" || control._tag === "One" && control.choices.length <= shown

const Field = (
  { error, field, onChange, secret, value }: Omit<Control, "described" | "id"> & { readonly error: string | undefined }
) => {
  const id = useId()
  const { control, description, hint, label, required } = field
  const notes = [description, hint].filter((note) => note !== undefined && note !== "")
  const describedBy = [notes.length > 0 ? `${id}-hint` : "", error === undefined ? "" : `${id}-error`].filter((each) =>
    each !== ""
  )
  const described: Control["described"] = {
    ...describedBy.length === 0 ? {} : { "aria-describedby": describedBy.join(" ") },
    ...error === undefined ? {} : { "aria-invalid": true },
    ...required && control._tag !== "Switch" ? { "aria-required": true } : {}
  }
  const props = { field, value, secret, onChange, described, id }
  const optional = required || control._tag === "Switch" ? null : <small class="optional">optional</small>
  const below: ComponentChildren = (
    <>
      {notes.length > 0 && <p id={`${id}-hint`} class="hint">{notes.join(" — ")}</p>}
      {error !== undefined && <p id={`${id}-error`} class="error">{error}</p>}
    </>
  )
  if (control._tag === "Switch") {
    return (
      <div class="field" data-invalid={error !== undefined}>
        <label class="choice">
          <input
            id={id}
            type="checkbox"
            checked={value === true}
            {...described}
            onChange={({ currentTarget }) => onChange(currentTarget.checked)}
          />
          <span>{label}</span>
        </label>
        {below}
      </div>
    )
  }
  if (grouped(field)) {
    return (
      <fieldset
        class="field"
        data-invalid={error !== undefined}
        {...describedBy.length === 0 ? {} : { "aria-describedby": describedBy.join(" ") }}
      >
        <legend>{label} {optional}</legend>
        {control._tag === "Many"
          ? <Many {...props} choices={control.choices} />
          : control._tag === "One"
          ? <One {...props} choices={control.choices} />
          : null}
        {below}
      </fieldset>
    )
  }
  return (
    <div class="field" data-invalid={error !== undefined}>
      <label for={id}>{label} {optional}</label>
      {control._tag === "One" ? <One {...props} choices={control.choices} /> : <Text {...props} />}
      {below}
    </div>
  )
}

export const ElicitedForm = ({ children, id, issues, onSubmit, schema, secret }: {
  /** The question's, by which what was filled in is known again. */
  readonly id: string
  readonly schema: FormSchema
  readonly secret: boolean
  readonly issues: ReadonlyArray<AnswerIssue>
  readonly onSubmit: (content: Readonly<Record<string, unknown>>) => void
  /** The buttons. */
  readonly children: ComponentChildren
}) => {
  const fields = useMemo(() => Form.fields(schema), [schema])
  const [values, setValues] = useState(() => answers.get(id) ?? Form.initial(fields))
  const errors = useMemo(() => Form.byField(fields, issues), [fields, issues])
  const form = useRef<HTMLFormElement>(null)
  const general = errors.get("")

  const change = (name: string, value: Form.Value) => {
    const next = { ...values, [name]: value }
    // a secret is kept nowhere but in its field
    if (!secret) answers.set(id, next)
    setValues(next)
  }
  // to the first field that does not fit
  useEffect(() => {
    form.current?.querySelector<HTMLElement>("[data-invalid=true] :is(input, select, textarea)")?.focus()
  }, [issues])

  return (
    <form
      ref={form}
      class="fields"
      noValidate
      onSubmit={(event) => {
        event.preventDefault()
        onSubmit(Form.toContent(fields, values))
      }}
    >
      {general !== undefined && <p class="error" role="alert">{general}</p>}
      {fields.map((field) => (
        <Field
          key={field.name}
          field={field}
          value={values[field.name]}
          secret={secret}
          error={errors.get(field.name)}
          onChange={(value) => change(field.name, value)}
        />
      ))}
      {children}
    </form>
  )
}

/** A value as JSON, with a name. */
import { Code } from "./Code.js"

const toText = (value: unknown): string => JSON.stringify(value, undefined, 2) ?? String(value)

export const Json = ({ label, value }: { readonly label: string; readonly value: unknown }) => (
  <section class="json">
    <h3>{label}</h3>
    <Code text={toText(value)} language="json" caption="" />
  </section>
)

/** A command that runs, or has run: what it is, what it wrote, how it ended. */
import type * as Items from "../model/Items.js"
import { Output } from "./Output.js"

const end = ({ exitCode, signal, status }: Items.Process): string | undefined => {
  if (status === "running") return undefined
  if (signal != null) return `ended by ${signal}`
  return exitCode == null ? "ended" : exitCode === 0 ? "exit 0" : `exit ${exitCode}`
}

export const Process = ({ process }: { readonly process: Items.Process }) => {
  const how = end(process)
  const failed = process.status === "exited" && process.exitCode !== 0
  return (
    <section class="process">
      <p class="command">
        <span class="dollar" aria-hidden>$</span>
        <code>{process.command ?? process.id}</code>
        {how === undefined
          ? <span class="status in_progress">at work</span>
          : <span class={`status ${failed ? "failed" : "completed"}`}>{how}</span>}
      </p>
      <Output output={process.output} label={`Output of ${process.command ?? process.id}`} />
    </section>
  )
}

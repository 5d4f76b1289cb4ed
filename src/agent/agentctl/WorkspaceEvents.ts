/**
 * From the messages of the workspace stream to events. Pure and total.
 *
 * @since 0.1.0
 */
import * as Either from "effect/Either"
import * as Schema from "effect/Schema"
import * as Domain from "../../domain/AgentEvent.js"
import type { AgentEvent } from "../../domain/AgentEvent.js"
import type { Frame as Raw } from "../../lifecycle/stream/WebSocketSource.js"
import * as Events from "./Events.js"
import { type Fields, fieldsOf, parse, string } from "./Wire.js"

const decodeEvent = Schema.decodeUnknownEither(Domain.AgentEvent)

const processStatus = ({ command, exit_code: exitCode, process_id: processId, status }: Fields): Fields => ({
  type: "ProcessStatus",
  processId,
  status: status === "running" ? "running" : "exited",
  ...(typeof command === "string" ? { command } : {}),
  ...(typeof exitCode === "number" ? { exitCode } : {})
})

const candidates: Readonly<Record<string, (message: Fields) => Fields>> = {
  git_status: ({ git_status: status }) => ({ type: "GitStatusChanged", status }),
  file_change: ({ file_change }) => {
    const { operation, path } = fieldsOf(file_change)
    return { type: "FilesChanged", changes: [{ path, kind: operation }] }
  },
  shell_output: ({ data }) => ({ type: "ShellOutput", data }),
  process_output: ({ process_output }) => {
    const { data, process_id: processId, stream } = fieldsOf(process_output)
    return { type: "ProcessOutput", processId, stream, data }
  },
  process_status: ({ process_status }) => processStatus(fieldsOf(process_status)),
  shell_exit: ({ code }) => ({
    type: "Warning",
    message: `the shell has ended${code === undefined ? "" : ` (${String(code)})`}`
  }),
  error: ({ error }) => ({ type: "Warning", message: `the workspace: ${string(error) ?? "an error without a word"}` })
}

const silent: ReadonlySet<string> = new Set(["connected", "ping", "pong"])
/** What git did, in the host's own form. */
const passed: ReadonlySet<string> = new Set(["git_commit", "git_reset", "branch_switch"])

/** What a message says, and the type of one that this version does not know. @since 0.1.0 */
export const ofMessage = (raw: Raw): { readonly events: ReadonlyArray<AgentEvent>; readonly unknown?: string } => {
  const frame = parse(raw)
  if (frame._tag !== "Event") return { events: [], unknown: frame._tag === "Malformed" ? frame.what : frame._tag }
  const { fields, type } = frame
  // a process that starts is told of again when it runs
  if (silent.has(type) || fieldsOf(fields["process_status"])["status"] === "starting") return { events: [] }
  if (passed.has(type)) {
    return { events: [{ type: "Extension", name: `agentctl/${type}`, payload: fields[type] ?? null }] }
  }
  const bring = Object.hasOwn(candidates, type) ? candidates[type] : undefined
  if (bring === undefined) return { events: [Events.extension(type, fields)], unknown: type }
  const event = decodeEvent(bring(fields))
  return { events: [Either.getOrElse(event, () => Events.extension(type, fields))] }
}

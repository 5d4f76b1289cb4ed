/**
 * The HTTP API as data: routes, what they take, what they answer and how they fail. The server, `/openapi.json` and
 * `/docs` are made from it.
 *
 * @since 0.1.0
 */
import * as HttpApi from "@effect/platform/HttpApi"
import * as HttpApiEndpoint from "@effect/platform/HttpApiEndpoint"
import * as HttpApiGroup from "@effect/platform/HttpApiGroup"
import * as HttpApiSchema from "@effect/platform/HttpApiSchema"
import * as OpenApi from "@effect/platform/OpenApi"
import * as Schema from "effect/Schema"
import { ContentBlock } from "../domain/Content.js"
import { Decision } from "../domain/Decision.js"
import { Elicitation, ElicitationAnswer } from "../domain/Elicitation.js"
import * as Errors from "../domain/Errors.js"
import { ElicitationId, RunId, SessionId } from "../domain/Ids.js"
import { Session, SessionStatus } from "../domain/Session.js"
import { RestartStorm } from "../lifecycle/RestartCoalescer.js"
import * as Prometheus from "../telemetry/Prometheus.js"
import { RunIdTaken, ThreadOfOtherAgent } from "./agui/AguiError.js"
import { RunAgentInput } from "./agui/RunAgentInput.js"
import * as ApiDocument from "./ApiDocument.js"
import { Refusal, RequestInvalid, UpgradeRequired } from "./GatewayError.js"

// ------------------------------------------------------------------------------------------------- errors

const withStatus = <A, I>(status: number, schema: Schema.Schema<A, I>) =>
  schema.annotations(HttpApiSchema.annotations({ status }))

const LogError = Schema.Union(
  withStatus(503, Errors.EventLogClosed),
  withStatus(503, Errors.EventLogUnavailable)
)
const NotFound = withStatus(404, Errors.SessionNotFound)
const Closed = withStatus(409, Errors.SessionClosed)
const NoWorkspace = withStatus(409, Errors.WorkspaceNotOffered)
const Limit = withStatus(429, Errors.LimitReached)
const AgentError = Schema.Union(
  withStatus(404, Errors.AgentNotFound),
  withStatus(502, Errors.AgentCommandNotFound),
  withStatus(504, Errors.AgentStartTimeout),
  withStatus(502, Errors.AgentDied),
  withStatus(502, Errors.AgentProtocolError),
  withStatus(502, Errors.AgentMessageTooLarge),
  withStatus(502, Errors.AgentAuthRequired),
  withStatus(502, Errors.AgentRequestFailed),
  withStatus(502, Errors.AgentContextExceeded),
  withStatus(502, Errors.AgentLost),
  withStatus(502, Errors.AgentUnreachable),
  withStatus(501, Errors.AgentUnsupported)
)

// -------------------------------------------------------------------------------------------------- input

const id = HttpApiSchema.param("id", SessionId)
const elicitationId = HttpApiSchema.param("elicitationId", ElicitationId)

/** A body or a query. Every fault is told at once, and a misspelt field is one: else it would be ignored in silence. */
const input = <Fields extends Schema.Struct.Fields>(fields: Fields) =>
  Schema.Struct(fields).annotations({ parseOptions: { errors: "all", onExcessProperty: "error" } })

/** Says all choices in one fault, where a union says each as a fault of its own. */
const oneOf = <const Choices extends readonly [string, ...ReadonlyArray<string>]>(choices: Choices) =>
  Schema.Literal(...choices).annotations({
    message: (issue) => ({
      message: `Expected ${choices.join(" | ")}, actual ${JSON.stringify(issue.actual)}`,
      override: true
    })
  })

const optional = <A, I>(schema: Schema.Schema<A, I>) => Schema.optionalWith(schema, { exact: true })
const withDefault = <A, I>(schema: Schema.Schema<A, I>, value: A) =>
  Schema.optionalWith(schema, { exact: true, default: () => value })

/** What is a name and no prompt; as long as the longest path. */
const Name = Schema.String.pipe(Schema.maxLength(4096))

const TerminalSize = Schema.Int.pipe(Schema.between(1, 1000))

/** In digits only: `0x10`, `1e3` and blanks are numbers to JavaScript, and a mistake of whoever sends them. */
const WholeFromString = Schema.String.pipe(
  Schema.pattern(/^\d+$/, { message: ({ actual }) => `Expected a whole number, actual ${JSON.stringify(actual)}` }),
  Schema.compose(Schema.NumberFromString)
)

/** From 0, and a number that JavaScript holds exactly. */
const CursorFromString = WholeFromString.pipe(Schema.between(0, Number.MAX_SAFE_INTEGER))

const Prompt = Schema.Union(Schema.String, Schema.Array(ContentBlock)).annotations({
  // a content block may carry more than we know of (`_meta`): it is the agent's to judge
  parseOptions: { onExcessProperty: "ignore" }
})

/** For clients that cannot send headers; `Credentials` takes it out of the URL before anything else reads that. */
const ticket = optional(
  Schema.String.annotations({
    description: "Of `POST /v1/tickets`, in place of the token, where no header can be sent"
  })
)

const EventText = (contentType: string) => Schema.String.pipe(HttpApiSchema.withEncoding({ kind: "Text", contentType }))

// ------------------------------------------------------------------------------------------------- routes

const system = HttpApiGroup.make("system").add(
  HttpApiEndpoint.get("health", "/health").annotate(OpenApi.Summary, "Is the gateway up? Needs no token").addSuccess(
    Schema.Struct({ status: Schema.Literal("ok"), version: Schema.String })
  )
).add(
  HttpApiEndpoint.get("agents", "/v1/agents").annotate(OpenApi.Summary, "The configured agents").addSuccess(
    Schema.Array(Schema.Struct({ name: Schema.String, kind: Schema.String, description: Schema.String }))
  )
).add(
  HttpApiEndpoint.get("metrics", "/metrics").annotate(OpenApi.Summary, "Figures for Prometheus")
    .addSuccess(EventText(Prometheus.contentType))
)

const tickets = HttpApiGroup.make("tickets").add(
  HttpApiEndpoint.post("issue", "/v1/tickets")
    .annotate(OpenApi.Summary, "A ticket that opens one event stream or socket, once and soon")
    .addSuccess(Schema.Struct({ ticket: Schema.String, expiresAt: Schema.String }), { status: 201 })
    .addError(Limit)
)

const sessions = HttpApiGroup.make("sessions").add(
  HttpApiEndpoint.post("create", "/v1/sessions").annotate(OpenApi.Summary, "Open a session and start its agent")
    .setPayload(input({
      agent: Name,
      cwd: optional(Name),
      title: optional(Name)
    }))
    .addSuccess(Session, { status: 201 })
    .addError(AgentError).addError(withStatus(400, Errors.CwdInvalid)).addError(Limit).addError(LogError)
).add(
  HttpApiEndpoint.get("list", "/v1/sessions").annotate(OpenApi.Summary, "Sessions, newest first, page by page")
    .setUrlParams(input({
      status: optional(oneOf(SessionStatus.literals)),
      after: optional(SessionId),
      limit: withDefault(WholeFromString.pipe(Schema.between(1, 200)), 50)
    }))
    .addSuccess(Schema.Struct({ sessions: Schema.Array(Session), next: Schema.optional(SessionId) }))
    .addError(NotFound).addError(LogError)
).add(
  HttpApiEndpoint.get("get")`/v1/sessions/${id}`.annotate(OpenApi.Summary, "One session")
    .addSuccess(Session).addError(NotFound).addError(LogError)
).add(
  HttpApiEndpoint.del("close")`/v1/sessions/${id}`
    .annotate(OpenApi.Summary, "Close a session and everything it holds; closing twice is fine")
    .addSuccess(HttpApiSchema.NoContent).addError(NotFound).addError(LogError)
).add(
  HttpApiEndpoint.post("restart")`/v1/sessions/${id}/restart`.annotate(
    OpenApi.Summary,
    "End the agent and start it again"
  )
    .setPayload(input({
      cause: withDefault(oneOf(["requested", "changed", "failed"]), "requested"),
      wait: withDefault(Schema.Boolean, false)
    }))
    .addSuccess(Session).addSuccess(HttpApiSchema.Accepted)
    .addError(NotFound).addError(Closed).addError(AgentError).addError(withStatus(503, RestartStorm)).addError(LogError)
).add(
  HttpApiEndpoint.post("mode")`/v1/sessions/${id}/mode`.annotate(OpenApi.Summary, "Switch the agent's mode")
    .setPayload(input({ modeId: Name }))
    .addSuccess(HttpApiSchema.NoContent)
    .addError(NotFound).addError(Closed).addError(AgentError).addError(LogError)
).add(
  HttpApiEndpoint.post("config")`/v1/sessions/${id}/config`.annotate(OpenApi.Summary, "Set one of the agent's options")
    .setPayload(input({ configId: Name, value: Schema.Union(Name, Schema.Boolean) }))
    .addSuccess(HttpApiSchema.NoContent)
    .addError(NotFound).addError(Closed).addError(AgentError).addError(LogError)
)

const workspace = HttpApiGroup.make("workspace").add(
  HttpApiEndpoint.post("shell")`/v1/sessions/${id}/shell`
    .annotate(OpenApi.Summary, "Type into the session's shell, or change the size of its terminal")
    .setPayload(
      input({ data: optional(Schema.String), columns: optional(TerminalSize), rows: optional(TerminalSize) }).pipe(
        Schema.filter(({ columns, data, rows }) =>
          data === undefined && (columns === undefined || rows === undefined)
            ? "give data, or columns and rows"
            : true
        )
      )
    )
    .addSuccess(HttpApiSchema.Accepted)
    .addError(NotFound).addError(Closed).addError(AgentError).addError(NoWorkspace).addError(LogError)
).add(
  HttpApiEndpoint.post("start")`/v1/sessions/${id}/processes`
    .annotate(OpenApi.Summary, "Start a command beside the agent; its output and its end come as events")
    .setPayload(input({
      command: Schema.NonEmptyString,
      cwd: optional(Name),
      env: optional(Schema.Record({ key: Schema.String, value: Schema.String })),
      name: optional(Name)
    }))
    .addSuccess(Schema.Struct({ processId: Schema.String }), { status: 201 })
    .addError(NotFound).addError(Closed).addError(AgentError).addError(NoWorkspace).addError(LogError)
).add(
  HttpApiEndpoint.del("stop")`/v1/sessions/${id}/processes/${HttpApiSchema.param("processId", Schema.String)}`
    .annotate(OpenApi.Summary, "End such a command; ending it twice is fine")
    .addSuccess(HttpApiSchema.NoContent)
    .addError(NotFound).addError(Closed).addError(AgentError).addError(NoWorkspace).addError(LogError)
)

const runs = HttpApiGroup.make("runs").add(
  HttpApiEndpoint.post("prompt")`/v1/sessions/${id}/runs`.annotate(OpenApi.Summary, "Prompt the agent")
    .setHeaders(Schema.Struct({
      "idempotency-key": optional(Schema.String.pipe(Schema.minLength(1), Schema.maxLength(255)))
    }))
    .setPayload(input({ prompt: Prompt, whenBusy: optional(oneOf(["refuse", "queue", "steer"])) }))
    .addSuccess(Schema.Struct({ runId: RunId, seq: Schema.Number }), { status: 202 })
    .addError(NotFound).addError(Closed).addError(withStatus(409, Errors.SessionBusy))
    .addError(withStatus(422, Errors.IdempotencyKeyReused))
    .addError(withStatus(400, Errors.PromptInvalid)).addError(Limit).addError(LogError)
).add(
  HttpApiEndpoint.post("cancel")`/v1/sessions/${id}/cancel`
    .annotate(OpenApi.Summary, "Cancel the open turn and drop what is queued, or cancel the one run that is named")
    .setUrlParams(input({ run: optional(RunId) }))
    .addSuccess(HttpApiSchema.Accepted).addError(NotFound).addError(Closed)
    .addError(withStatus(501, Errors.AgentUnsupported)).addError(LogError)
)

const events = HttpApiGroup.make("events").add(
  HttpApiEndpoint.get("events")`/v1/sessions/${id}/events`
    .annotate(OpenApi.Summary, "Replay the session's events after a cursor and follow it")
    .annotate(OpenApi.Description, "SSE, or one stored event a line with `Accept: application/x-ndjson`.")
    .annotate(OpenApi.Transform, ApiDocument.orAs("application/x-ndjson"))
    .setHeaders(Schema.Struct({ "last-event-id": optional(CursorFromString) }))
    .setUrlParams(input({
      after: withDefault(CursorFromString, 0),
      follow: withDefault(oneOf(["true", "false"]), "true"),
      ticket
    }))
    .addSuccess(EventText("text/event-stream"))
    .addError(NotFound).addError(withStatus(410, Errors.CursorExpired)).addError(Limit).addError(LogError)
).add(
  HttpApiEndpoint.get("socket")`/v1/sessions/${id}/socket`
    .annotate(OpenApi.Summary, "The same events down a WebSocket, and commands up")
    .annotate(OpenApi.Description, "Frames and close codes: docs/http.md.")
    .setUrlParams(input({ after: withDefault(CursorFromString, 0), ticket }))
    .addSuccess(HttpApiSchema.Empty(101))
    .addError(UpgradeRequired).addError(Limit)
)

const elicitations = HttpApiGroup.make("elicitations").add(
  HttpApiEndpoint.get("pending")`/v1/sessions/${id}/elicitations`
    .annotate(OpenApi.Summary, "The questions that wait for an answer")
    .addSuccess(Schema.Struct({ elicitations: Schema.Array(Elicitation) }))
    .addError(NotFound).addError(LogError)
).add(
  HttpApiEndpoint.post("answer")`/v1/sessions/${id}/elicitations/${elicitationId}`
    .annotate(OpenApi.Summary, "Answer a question")
    .setPayload(input({
      action: oneOf(ElicitationAnswer.fields.action.literals),
      content: ElicitationAnswer.fields.content
    }))
    .addSuccess(Schema.Struct({ id: ElicitationId, action: ElicitationAnswer.fields.action }))
    .addError(NotFound).addError(withStatus(404, Errors.ElicitationNotFound))
    .addError(withStatus(409, Errors.ElicitationAlreadySettled))
    .addError(withStatus(422, Errors.ElicitationAnswerInvalid)).addError(LogError)
).add(
  HttpApiEndpoint.get("decisions")`/v1/sessions/${id}/decisions`
    .annotate(OpenApi.Summary, "What was decided for always, and answers further questions about the same")
    .addSuccess(Schema.Struct({ decisions: Schema.Array(Decision) }))
    .addError(NotFound).addError(LogError)
).add(
  HttpApiEndpoint.del("revoke")`/v1/sessions/${id}/decisions`
    .annotate(OpenApi.Summary, "Take such a decision back: the next question about its subject is asked")
    .setUrlParams(input({ subject: Schema.String }))
    .addSuccess(HttpApiSchema.NoContent)
    .addError(NotFound).addError(Closed).addError(withStatus(404, Errors.DecisionNotFound)).addError(LogError)
)

const agui = HttpApiGroup.make("agui").add(
  HttpApiEndpoint.post("run")`/agui/${HttpApiSchema.param("agent", Schema.String)}`
    .annotate(OpenApi.Summary, "Run an agent as AG-UI's clients do")
    .annotate(
      OpenApi.Description,
      "Answers with AG-UI 1.0 events, as SSE or, with `Accept: application/vnd.ag-ui.event+proto`, as protobuf. `threadId` names the " +
        "session, which its first message opens; `Last-Event-ID` resumes a stream that was cut."
    )
    .annotate(OpenApi.Transform, ApiDocument.orAs("application/vnd.ag-ui.event+proto"))
    .setHeaders(Schema.Struct({ "last-event-id": optional(CursorFromString) }))
    .setPayload(RunAgentInput)
    .addSuccess(EventText("text/event-stream"))
    .addError(AgentError).addError(withStatus(400, Errors.CwdInvalid)).addError(withStatus(400, Errors.PromptInvalid))
    .addError(NotFound).addError(Closed).addError(withStatus(409, Errors.SessionBusy)).addError(ThreadOfOtherAgent)
    .addError(RunIdTaken).addError(withStatus(410, Errors.CursorExpired)).addError(Limit).addError(LogError)
)

// `HttpApi.make` would answer a request that does not decode in platform's own shape; the contract has its own
const empty = Object.assign(HttpApi.make("holdfast"), { errorSchema: RequestInvalid })

/**
 * @since 0.1.0
 */
export const Api = empty.addError(Refusal).add(system).add(tickets).add(sessions).add(workspace).add(runs).add(events)
  .add(
    elicitations
  ).add(agui)
  .annotate(OpenApi.Title, "Holdfast")
  .annotate(OpenApi.Description, "Sessions with AI agents: commands, events without a gap, questions to a person.")
  .annotate(OpenApi.Transform, ApiDocument.withToken(["/health"]))

/**
 * What prompts, messages and tool calls are made of. The shapes are those of the Agent Client Protocol and of MCP, so content
 * passes through Holdfast unchanged.
 *
 * @see https://agentclientprotocol.com/protocol/v1/content
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"

const annotations = Schema.optional(Schema.NullOr(Schema.Unknown))

/** @since 0.1.0 */
export const TextContent = Schema.Struct({ type: Schema.Literal("text"), text: Schema.String, annotations })

const EmbeddedText = Schema.Struct({
  uri: Schema.String,
  text: Schema.String,
  mimeType: Schema.optional(Schema.NullOr(Schema.String))
})

const EmbeddedBlob = Schema.Struct({
  uri: Schema.String,
  blob: Schema.String,
  mimeType: Schema.optional(Schema.NullOr(Schema.String))
})

/**
 * One block of a prompt or of a message; `data` and `blob` are base64.
 *
 * @since 0.1.0
 */
export const ContentBlock = Schema.Union(
  TextContent,
  Schema.Struct({
    type: Schema.Literal("image"),
    data: Schema.String,
    mimeType: Schema.String,
    uri: Schema.optional(Schema.NullOr(Schema.String)),
    annotations
  }),
  Schema.Struct({ type: Schema.Literal("audio"), data: Schema.String, mimeType: Schema.String, annotations }),
  Schema.Struct({
    type: Schema.Literal("resource_link"),
    name: Schema.String,
    uri: Schema.String,
    title: Schema.optional(Schema.NullOr(Schema.String)),
    description: Schema.optional(Schema.NullOr(Schema.String)),
    mimeType: Schema.optional(Schema.NullOr(Schema.String)),
    size: Schema.optional(Schema.NullOr(Schema.Number)),
    annotations
  }),
  Schema.Struct({ type: Schema.Literal("resource"), resource: Schema.Union(EmbeddedText, EmbeddedBlob), annotations })
)
/** @since 0.1.0 */
export type ContentBlock = typeof ContentBlock.Type

/**
 * What a tool call shows: blocks, a diff of one file, or the output of a terminal (told by `ProcessOutput` events of the same id).
 *
 * @since 0.1.0
 */
export const ToolContent = Schema.Union(
  Schema.Struct({ type: Schema.Literal("content"), content: ContentBlock }),
  Schema.Struct({
    type: Schema.Literal("diff"),
    path: Schema.String,
    oldText: Schema.optional(Schema.NullOr(Schema.String)),
    newText: Schema.String
  }),
  Schema.Struct({ type: Schema.Literal("terminal"), terminalId: Schema.String })
)
/** @since 0.1.0 */
export type ToolContent = typeof ToolContent.Type

/** The prompt that is one text. @since 0.1.0 */
export const text = (text: string): ContentBlock => ({ type: "text", text })

/** The text of a prompt, other blocks left out. @since 0.1.0 */
export const toText = (content: ReadonlyArray<ContentBlock>): string =>
  content.flatMap((block) => block.type === "text" ? [block.text] : []).join("\n")

/** The beginning of a text. Half of a character that is written in two is none: many a peer refuses it. @since 0.1.0 */
export const head = (text: string, most: number): string => text.slice(0, most).replace(/[\uD800-\uDBFF]$/, "")

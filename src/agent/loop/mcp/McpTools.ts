/**
 * Tools and results, between MCP's form and the loop's. Pure.
 *
 * @since 0.1.0
 */
import type { CallToolResult, Progress, Tool as McpTool } from "@modelcontextprotocol/client"
import * as Either from "effect/Either"
import * as Hash from "effect/Hash"
import * as Schema from "effect/Schema"
import * as Content from "../../../domain/Content.js"
import type { Tool, ToolProgress, ToolResult } from "../Toolset.js"

/** Of a tool's name, by the models. */
const longest = 64

/**
 * `server__tool`, of what models allow in a name. A name that was cut ends with what tells it apart.
 *
 * @since 0.1.0
 */
export const nameOf = (server: string, tool: string): string => {
  const name = `${server}__${tool}`.replace(/[^A-Za-z0-9_-]/g, "_")
  if (name.length <= longest) return name
  const mark = (Hash.string(`${server}__${tool}`) >>> 0).toString(36)
  return `${name.slice(0, longest - mark.length - 1)}_${mark}`
}

/** @since 0.1.0 */
export const toTools = (
  server: string,
  listed: ReadonlyArray<McpTool>,
  call: (tool: string) => Tool["call"]
): ReadonlyArray<Tool> =>
  listed.map(({ annotations, description, inputSchema, name, title }) => {
    const readOnly = annotations?.readOnlyHint === true
    return {
      name: nameOf(server, name),
      title: title ?? annotations?.title ?? name,
      description: description ?? "",
      // of a tool that takes nothing many a server says no more than that it is an object, which OpenAI refuses
      parameters: { properties: {}, ...inputSchema },
      readOnly,
      kind: readOnly ? "read" : "other",
      call: call(name)
    }
  })

const decodeBlock = Schema.decodeUnknownEither(Content.ContentBlock)

/** What is no block that we know is shown as it came. */
const toBlock = (block: unknown): Content.ContentBlock =>
  Either.getOrElse(decodeBlock(block), () => Content.text(JSON.stringify(block)))

/** @since 0.1.0 */
export const toResult = ({ content, isError, structuredContent }: CallToolResult): ToolResult => ({
  content: content.map(toBlock),
  ...structuredContent === undefined ? {} : { structured: structuredContent },
  ...isError === true ? { isError } : {}
})

/** @since 0.1.0 */
export const toProgress = ({ message, progress, total }: Progress): ToolProgress => {
  const text = `${progress}${total === undefined ? "" : ` of ${total}`}${message === undefined ? "" : `: ${message}`}`
  return { content: [{ type: "content", content: Content.text(text) }] }
}

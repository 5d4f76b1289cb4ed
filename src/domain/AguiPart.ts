/**
 * What the Agent Client Protocol calls a content block, as AG-UI has it: a part of a message. Both of its edges say it so, the one that
 * serves AG-UI and the one that speaks to agents behind it.
 *
 * @see https://docs.ag-ui.com/spec/1.0
 * @since 0.1.0
 */
import type { ContentBlock } from "./Content.js"

/** @since 0.1.0 */
export type AguiPart =
  | { readonly type: "text"; readonly text: string }
  | {
    readonly type: "image" | "audio" | "document"
    readonly source:
      | { readonly type: "data"; readonly value: string; readonly mimeType: string }
      | { readonly type: "url"; readonly value: string; readonly mimeType?: string }
  }

/** @since 0.1.0 */
export const fromBlock = (block: ContentBlock): AguiPart => {
  switch (block.type) {
    case "text":
      return { type: "text", text: block.text }
    case "image":
    case "audio":
      return { type: block.type, source: { type: "data", value: block.data, mimeType: block.mimeType } }
    case "resource_link":
      return {
        type: "document",
        source: { type: "url", value: block.uri, ...block.mimeType == null ? {} : { mimeType: block.mimeType } }
      }
    case "resource": {
      const { resource } = block
      if ("text" in resource) return { type: "text", text: resource.text }
      const mimeType = resource.mimeType ?? "application/octet-stream"
      return { type: "document", source: { type: "data", value: resource.blob, mimeType } }
    }
  }
}

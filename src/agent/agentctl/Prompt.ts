/**
 * A prompt as the host takes it: one text, and attachments.
 *
 * @since 0.1.0
 */
import type { ContentBlock } from "../../domain/Content.js"
import type { Fields } from "./Wire.js"

const base64 = (text: string) => Buffer.from(text).toString("base64")

/** @since 0.1.0 */
export const ofContent = (
  content: ReadonlyArray<ContentBlock>
): { readonly text: string; readonly attachments?: ReadonlyArray<Fields> } => {
  const texts: Array<string> = []
  const attachments: Array<Fields> = []
  for (const block of content) {
    switch (block.type) {
      case "text":
        texts.push(block.text)
        break
      case "resource_link":
        texts.push(`[${block.title ?? block.name}](${block.uri})`)
        break
      case "image":
      case "audio":
        attachments.push({ type: block.type, data: block.data, mime_type: block.mimeType })
        break
      case "resource": {
        const { resource } = block
        attachments.push({
          type: "resource",
          data: "blob" in resource ? resource.blob : base64(resource.text),
          mime_type: resource.mimeType ?? ("blob" in resource ? "application/octet-stream" : "text/plain"),
          name: resource.uri
        })
      }
    }
  }
  return { text: texts.join("\n"), ...(attachments.length === 0 ? {} : { attachments }) }
}

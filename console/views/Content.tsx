/** A block of content that is not plain text: an image, a sound, a resource. */
import type { ContentBlock } from "../../src/domain/Content.js"
import { Code } from "./Code.js"
import { Icon } from "./Icon.js"
import { ExternalLink, safeHref } from "./Link.js"
import { Prose } from "./Prose.js"

/** Pictures that a browser draws without running anything. */
const pictures = /^image\/(png|jpeg|gif|webp|avif)$/
const sounds = /^audio\/(mpeg|mp3|wav|ogg|mp4|webm|flac)$/

const Named = ({ name, uri }: { readonly name: string; readonly uri: string }) => {
  const href = safeHref(uri)
  return (
    <p class="resource">
      <Icon name="file" />
      {href === undefined ? <span title={uri}>{name}</span> : <ExternalLink href={href}>{name}</ExternalLink>}
    </p>
  )
}

export const Content = ({ content }: { readonly content: ContentBlock }) => {
  switch (content.type) {
    case "text":
      return <Prose text={content.text} />
    case "image":
      return pictures.test(content.mimeType)
        ? <img class="picture" src={`data:${content.mimeType};base64,${content.data}`} alt="An image of the agent" />
        : <p class="resource">An image of the type {content.mimeType}, which is not shown</p>
    case "audio":
      return sounds.test(content.mimeType)
        ? <audio class="sound" controls src={`data:${content.mimeType};base64,${content.data}`} />
        : <p class="resource">A sound of the type {content.mimeType}, which is not played</p>
    case "resource_link":
      return <Named name={content.title ?? content.name} uri={content.uri} />
    case "resource":
      return "text" in content.resource
        ? (
          <>
            <Named name={content.resource.uri} uri={content.resource.uri} />
            <Code text={content.resource.text} language={content.resource.uri.split(".").at(-1) ?? ""} />
          </>
        )
        : <Named name={`${content.resource.uri} (${content.resource.mimeType ?? "data"})`} uri={content.resource.uri} />
  }
}

/**
 * What a session is called.
 *
 * @since 0.1.0
 */
import * as Prompt from "@effect/ai/Prompt"
import * as Effect from "effect/Effect"
import * as Content from "../../domain/Content.js"
import type { Models } from "./Models.js"

const longest = 60

const shorten = (text: string): string => {
  const line = text.replace(/\s+/g, " ").trim()
  if (line.length <= longest) return line
  const cut = line.slice(0, longest)
  return `${cut.slice(0, cut.lastIndexOf(" ") > 20 ? cut.lastIndexOf(" ") : longest)}…`
}

/** Its first words. @since 0.1.0 */
export const ofPrompt = (prompt: ReadonlyArray<Content.ContentBlock>): string =>
  shorten(Content.toText(prompt)) || "Untitled"

/** A few words of the model; the first words of the prompt if it has none. @since 0.1.0 */
export const ask = (models: Models, prompt: ReadonlyArray<Content.ContentBlock>): Effect.Effect<string> => {
  const question =
    `Answer with a title of at most six words for a conversation that begins so, and with nothing else:\n\n${
      Content.head(Content.toText(prompt), 4000)
    }`
  const messages = [Prompt.userMessage({ content: [Prompt.textPart({ text: question })] })]
  return models.ask({ messages: () => messages, tools: [], say: () => Effect.void }).pipe(
    Effect.map(({ answer: { text } }) => shorten(text.replace(/^["'\s]+|["'\s]+$/g, ""))),
    Effect.catchAll(() => Effect.succeed("")),
    Effect.map((title) => title === "" ? ofPrompt(prompt) : title)
  )
}

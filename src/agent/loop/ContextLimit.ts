/**
 * Reads from a refusal whether the conversation was too long for the model, and how long it was and may be. Each provider says it in
 * words of its own; what they have in common is a status, if it comes with one. Pure.
 *
 * @since 0.1.0
 */

/** In tokens, as far as they were told. @since 0.1.0 */
export interface TooLong {
  readonly used: number | undefined
  readonly size: number | undefined
}

/** Of a request that will not do. 429 is not among them: "too many tokens" is then said of those of a minute. */
const statuses = new Set([400, 413, 422])

const phrases = [
  // OpenAI and all who have its codes
  /context[_ ]length[_ ]exceeded|exceed_context_size|exceeds? the context window|maximum context length/i,
  // Anthropic, Bedrock, Gemini, xAI
  /prompt is too long|exceed context limit|input is too long|token count.*exceeds the|maximum prompt length is/is,
  // llama.cpp, LM Studio, Groq, MiniMax, Kimi, Copilot
  /available context size|greater than the context length|reduce the length of the messages|context window exceeds/i,
  /exceeded model token limit|token limit exceeded|request_too_large|too large for model with/i
]

const numbers = [
  /too long: (?<used>\d+) tokens > (?<size>\d+)/i,
  /context limit: (?<used>\d+) \+ \d+ > (?<size>\d+)/i,
  /token count (?:of )?\(?(?<used>\d+)\)? exceeds the [^\d]*(?<size>\d+)/i,
  /\((?<used>\d+) tokens\) exceeds the available context size \((?<size>\d+)/i,
  /"n_prompt_tokens":\s*(?<used>\d+)[^}]*"n_ctx":\s*(?<size>\d+)/i,
  /token limit: (?<size>\d+) \(requested: (?<used>\d+)/i,
  /maximum (?:context|prompt) length is (?<size>\d+)(?: tokens)?[^\d]*(?<used>\d+)?/i
]

const count = (digits: string | undefined) => digits === undefined ? undefined : Number(digits)

/** `status` is that of the answer; undefined for an error that came in one. @since 0.1.0 */
export const of = (status: number | undefined, text: string): TooLong | undefined => {
  if (status !== undefined && !statuses.has(status)) return undefined
  if (status !== 413 && !phrases.some((phrase) => phrase.test(text))) return undefined
  for (const form of numbers) {
    const groups = form.exec(text)?.groups
    if (groups !== undefined) return { used: count(groups["used"]), size: count(groups["size"]) }
  }
  return { used: undefined, size: undefined }
}

/** What a screen reader says without being asked: one short sentence at a time. */
import { signal } from "@preact/signals"

export const announcement = signal("")
export const announce = (sentence: string) => {
  // said again it is another text, or a screen reader would have nothing to say
  announcement.value = announcement.peek() === sentence ? `${sentence}\u00a0` : sentence
}

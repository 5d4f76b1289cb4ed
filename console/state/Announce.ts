/** What a screen reader says without being asked: one short sentence at a time. */
import { signal } from "@preact/signals"

export const announcement = signal("")
export const announce = (sentence: string) => announcement.value = sentence

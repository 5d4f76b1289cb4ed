/** The console's signs: strokes of one weight on a grid of 16. They only ever stand beside a word, or have a label of their own. */
const paths = {
  back: "M10 3 5 8l5 5",
  chevron: "m6 4 4 4-4 4",
  check: "m3.5 8.5 3 3 6-7",
  cross: "m4.5 4.5 7 7m0-7-7 7",
  copy: "M6 5.5h7v8H6zM10 5.5v-3H3v8h3",
  dots: "M3.5 8h.01M8 8h.01M12.5 8h.01",
  down: "M8 3v10m-4.5-4.5L8 13l4.5-4.5",
  file: "M4 2.5h5l3 3v8H4zM9 2.5v3h3",
  globe: "M8 2.5a5.5 5.5 0 1 0 0 11 5.5 5.5 0 0 0 0-11zM2.5 8h11M8 2.5c2 1.7 2 9.3 0 11M8 2.5c-2 1.7-2 9.3 0 11",
  move: "M2.5 8h11m-3-3 3 3-3 3",
  pencil: "m3 13 .7-3L10.5 3.2l2.3 2.3L6 12.3z",
  plan: "m2.5 4 1 1 1.7-2M2.5 9.5l1 1 1.7-2M8 4h5.5M8 9.5h5.5",
  plus: "M8 3.5v9M3.5 8h9",
  question: "M8 2.5a5.5 5.5 0 1 0 0 11 5.5 5.5 0 0 0 0-11zM6.4 6.4c.2-2.2 3.4-2 3.3 0 0 1.2-1.6 1.3-1.6 2.6M8 11h.01",
  restart: "M13 8a5 5 0 1 1-1.6-3.7M13 2.5v2.8h-2.8",
  search: "M7 2.8a4.2 4.2 0 1 0 0 8.4 4.2 4.2 0 0 0 0-8.4zm3.2 7.4 3.1 3.1",
  send: "M8 13V3.5m-4 4 4-4 4 4",
  stop: "M5 5h6v6H5z",
  terminal: "m3 4.5 3.5 3.5L3 11.5M8.5 12H13",
  thought:
    "M8 2.8c3 0 5.2 1.9 5.2 4.4S11 11.6 8 11.6c-.6 0-1.2-.1-1.7-.2L3.5 13l.6-2.6C3.3 9.6 2.8 8.4 2.8 7.2 2.8 4.7 5 2.8 8 2.8z",
  tool: "M9.8 3.2a3.3 3.3 0 0 0-3 4.6L2.9 11.6l1.5 1.5 3.8-3.9a3.3 3.3 0 0 0 4.5-3.8L10.9 7 9 5.2l1.7-1.9z",
  trash: "M3 4.5h10M6.5 4.5v-2h3v2M4.5 4.5l.5 9h6l.5-9",
  warning: "M8 2.8 14 13H2zM8 6.5V9.5M8 11.3h.01"
} as const

export type IconName = keyof typeof paths

export const Icon = ({ label, name }: { readonly name: IconName; readonly label?: string }) => (
  <svg
    class={`icon icon-${name}`}
    viewBox="0 0 16 16"
    {...label === undefined ? { "aria-hidden": true } : { role: "img", "aria-label": label }}
  >
    <path d={paths[name]} />
  </svg>
)

/** Kelp, and the rock it holds on to. */
export const Mark = () => (
  <svg class="mark" viewBox="0 0 24 24" aria-hidden>
    <path class="frond" d="M12 18.5C10.5 14 14 11.500 12 7.500 11.100 5.600 11.500 3.800 12.600 2" />
    <path class="frond" d="M11.600 18.500c-3.600-2.500-2.600-5.500-5-8-1.100-1.200-1.500-2.500-1.200-4.200" />
    <path class="frond" d="M12.400 18.500c3.600-2.500 2.600-5 5-7.300 1.100-1.100 1.600-2.300 1.300-4" />
    <path class="rock" d="M5 22c.6-2.600 3.400-4.200 7-4.200s6.400 1.600 7 4.200z" />
  </svg>
)

/** Where in the console one is, kept in the address behind the `#`: the gateway serves one page. */
import { signal } from "@preact/signals"

export type Route =
  | { readonly _tag: "Home" }
  | { readonly _tag: "New" }
  | { readonly _tag: "Session"; readonly id: string; readonly tab: "conversation" | "log" }

/** What somebody typed may be no encoding of anything. */
const decoded = (part: string): string => {
  try {
    return decodeURIComponent(part)
  } catch {
    return part
  }
}

const parse = (hash: string): Route => {
  const [first = "", second] = hash.replace(/^#\/?/, "").split("/")
  if (first === "") return { _tag: "Home" }
  if (first === "new") return { _tag: "New" }
  return { _tag: "Session", id: decoded(first), tab: second === "log" ? "log" : "conversation" }
}

export const toHash = (route: Route): string => {
  switch (route._tag) {
    case "Home":
      return "#/"
    case "New":
      return "#/new"
    case "Session":
      return `#/${encodeURIComponent(route.id)}${route.tab === "log" ? "/log" : ""}`
  }
}

export const route = signal(parse(location.hash))
addEventListener("hashchange", () => route.value = parse(location.hash))

export const go = (to: Route) => location.hash = toHash(to)

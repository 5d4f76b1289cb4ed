import { render } from "preact"
import * as SessionList from "./state/SessionList.js"
import { App } from "./views/App.js"
import * as Prose from "./views/Prose.js"

const root = document.getElementById("root")
if (root !== null) {
  SessionList.begin()
  // without it there is still the text
  Prose.load().catch(() => {})
  render(<App />, root)
}

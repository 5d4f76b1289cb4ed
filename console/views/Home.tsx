/** Nothing is chosen. */
import { toHash } from "../state/Route.js"
import * as SessionList from "../state/SessionList.js"
import { Icon, Mark } from "./Icon.js"

export const Home = () => {
  const some = SessionList.sessions.value.length > 0
  return (
    <main class="page home-page">
      <div class="welcome">
        <Mark />
        <h1>{some ? "Choose a session" : "Nothing runs here yet"}</h1>
        <p>
          {some
            ? "What an agent does while nobody looks is here when you come back, whole and in order."
            : "A session is one agent at work in one folder. It goes on when you close this page, and everything it does is kept."}
        </p>
        <a class="button primary" href={toHash({ _tag: "New" })}>
          <Icon name="plus" /> New session
        </a>
      </div>
    </main>
  )
}

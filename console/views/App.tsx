/** The whole page. */
import type { ComponentChildren } from "preact"
import { Component } from "preact"
import { useEffect, useMemo } from "preact/hooks"
import * as Access from "../state/Access.js"
import { announcement } from "../state/Announce.js"
import * as OpenSession from "../state/OpenSession.js"
import { type Route, route } from "../state/Route.js"
import { Home } from "./Home.js"
import { NewSession } from "./NewSession.js"
import { SessionPage } from "./SessionPage.js"
import { Sidebar } from "./Sidebar.js"
import { TokenPage } from "./TokenPage.js"

/** A fault of the page takes down no more than the page, and says so. */
class Boundary extends Component<{ readonly children: ComponentChildren }, { readonly error?: unknown }> {
  static override getDerivedStateFromError(error: unknown) {
    return { error }
  }
  override render() {
    const { error } = this.state
    return error === undefined ? this.props.children : (
      <main class="page">
        <div class="welcome">
          <h1>This page has a fault</h1>
          <p>{error instanceof Error ? error.message : String(error)}</p>
          <p>Nothing is lost: the sessions go on without it.</p>
          <button type="button" class="primary" onClick={() => location.reload()}>Load it again</button>
        </div>
      </main>
    )
  }
}

const Main = ({ open, route }: { readonly route: Route; readonly open: OpenSession.OpenSession | undefined }) => {
  if (route._tag === "New") return <NewSession />
  return route._tag === "Session" && open !== undefined ? <SessionPage session={open} tab={route.tab} /> : <Home />
}

export const App = () => {
  const at = route.value
  const id = at._tag === "Session" ? at.id : undefined
  const open = useMemo(() => id === undefined ? undefined : OpenSession.open(id), [id])
  useEffect(() => () => open?.close(), [open])
  return (
    <Boundary>
      {Access.locked.value
        ? <TokenPage />
        : (
          <div class="app" data-at={at._tag.toLowerCase()}>
            <Sidebar open={open} />
            <Main route={at} open={open} />
          </div>
        )}
      <div class="unseen" role="status" aria-live="polite">{announcement.value}</div>
    </Boundary>
  )
}

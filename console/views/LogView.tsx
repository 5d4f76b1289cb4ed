/** The session's events as they are stored. */
import { useEffect, useMemo, useRef, useState } from "preact/hooks"
import { Virtualizer, type VirtualizerHandle } from "virtua"
import type { Entry } from "../api/Feed.js"
import * as Filter from "../model/Filter.js"
import type { Log } from "../state/OpenSession.js"
import { Code } from "./Code.js"
import { Disclosure } from "./Disclosure.js"

const time = new Intl.DateTimeFormat(undefined, {
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
  fractionalSecondDigits: 3,
  hourCycle: "h23"
})

const pretty = (json: string): string => JSON.stringify(JSON.parse(json), undefined, 2)

const Row = ({ entry, session }: { readonly session: string; readonly entry: Entry }) => {
  const { at, text } = useMemo(() => Filter.summarise(entry), [entry])
  return (
    <Disclosure
      id={`${session} log ${entry.seq}`}
      class="entry"
      summary={
        <>
          <span class="seq">{entry.seq}</span>
          <time dateTime={at}>{at === "" ? "" : time.format(new Date(at))}</time>
          <span class="type">{entry.type}</span>
          <span class="text">{text}</span>
        </>
      }
    >
      {() => <Code text={pretty(entry.json)} language="json" caption="" />}
    </Disclosure>
  )
}

export const LogView = ({ log, session }: { readonly session: string; readonly log: Log }) => {
  const [text, setText] = useState("")
  const [type, setType] = useState("")
  const [following, setFollowing] = useState(true)
  const list = useRef<VirtualizerHandle>(null)
  const scroller = useRef<HTMLDivElement>(null)
  const filter = useRef<Filter.Running>(undefined)
  filter.current = Filter.run(filter.current, log.entries, log.length, { text, type })
  const { found, types } = filter.current

  useEffect(() => {
    if (following) list.current?.scrollToIndex(found.length - 1, { align: "end" })
  }, [following, found.length, text, type])

  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key === "ArrowUp" || event.key === "PageUp") setFollowing(false)
    if (event.target !== scroller.current || event.key !== "Home" && event.key !== "End") return
    event.preventDefault()
    setFollowing(event.key === "End")
    list.current?.scrollToIndex(event.key === "End" ? found.length - 1 : 0)
  }

  return (
    <div class="log">
      <form class="filter" role="search" onSubmit={(event) => event.preventDefault()}>
        <input
          type="search"
          value={text}
          placeholder="Filter by text"
          aria-label="Filter by text"
          onInput={({ currentTarget }) => setText(currentTarget.value)}
        />
        <select value={type} aria-label="Type" onChange={({ currentTarget }) => setType(currentTarget.value)}>
          <option value="">All types</option>
          {[...types].sort(([one], [other]) => one.localeCompare(other)).map(([name, count]) => (
            <option key={name} value={name}>{name} ({count.toLocaleString("en")})</option>
          ))}
        </select>
        <label class="choice">
          <input
            type="checkbox"
            checked={following}
            onChange={({ currentTarget }) => setFollowing(currentTarget.checked)}
          />
          <span>Follow</span>
        </label>
        <output>{found.length.toLocaleString("en")} of {log.length.toLocaleString("en")}</output>
      </form>
      <div
        ref={scroller}
        class="scroller"
        tabIndex={0}
        role="region"
        aria-label="Events"
        onKeyDown={onKeyDown}
        onWheel={() => setFollowing(false)}
        onTouchMove={() => setFollowing(false)}
      >
        {found.length === 0 && <p class="nothing">{log.length === 0 ? "No events yet" : "No event fits the filter"}</p>}
        <Virtualizer ref={list} data={found} scrollRef={scroller} itemSize={32}>
          {(entry) => <Row key={entry.seq} session={session} entry={entry} />}
        </Virtualizer>
      </div>
    </div>
  )
}

/**
 * The conversation from top to bottom, of which only what is in view is in the page. It stays at its end as long as one is there.
 */
import { useCallback, useEffect, useLayoutEffect, useRef, useState } from "preact/hooks"
import { Virtualizer, type VirtualizerHandle } from "virtua"
import type { Conversation } from "../model/Conversation.js"
import type * as Items from "../model/Items.js"
import { Icon } from "./Icon.js"
import { Item } from "./Item.js"

/** Farther from the end, in pixels, one is shown the way back. */
const near = 48
/** What a browser rounds away. */
const slack = 4
/** A scroll so soon after a hand was laid on the page, in milliseconds, is the hand's. */
const hand = 1_500

const isEnding = (item: Items.Item | undefined) => item?.kind === "message" || item?.kind === "thought"

export const ConversationList = ({ conversation, session }: {
  readonly session: string
  readonly conversation: Conversation
}) => {
  const { items, processes, run } = conversation
  const list = useRef<VirtualizerHandle>(null)
  const scroller = useRef<HTMLDivElement>(null)
  const pinned = useRef(true)
  const touched = useRef(0)
  const top = useRef(0)
  const [away, setAway] = useState(false)

  const toEnd = useCallback(() => {
    pinned.current = true
    setAway(false)
    const box = scroller.current
    if (box !== null) box.scrollTop = box.scrollHeight
  }, [])

  // once at the beginning: what is above is not measured yet
  useLayoutEffect(() => list.current?.scrollToIndex(items.length - 1, { align: "end" }), [])

  // whatever makes the content higher, or the room for it smaller: the end stays in view
  useEffect(() => {
    const box = scroller.current
    if (box === null) return
    const observer = new ResizeObserver(() => {
      if (pinned.current) box.scrollTop = box.scrollHeight
    })
    observer.observe(box)
    if (box.firstElementChild !== null) observer.observe(box.firstElementChild)
    return () => observer.disconnect()
  }, [])

  // Who turns upwards is let go at once, before the first pixel: at the end something is always growing that would pull back.
  const leave = () => {
    if (scroller.current !== null && scroller.current.scrollTop > 0) pinned.current = false
  }
  const onTouch = () => {
    touched.current = performance.now()
  }
  const onScroll = () => {
    const box = scroller.current
    if (box === null) return
    const upwards = box.scrollTop < top.current
    const left = box.scrollHeight - box.scrollTop - box.clientHeight
    top.current = box.scrollTop
    // the list corrects itself, too: only what a hand does means something
    if (performance.now() - touched.current < hand) {
      if (upwards && left >= slack) pinned.current = false
      if (!upwards && left < slack) pinned.current = true
    }
    setAway(!pinned.current && left > near)
  }
  /** At once: what is on the way is not measured, and would hold up a scroll that glides. */
  const onKeyDown = (event: KeyboardEvent) => {
    onTouch()
    if (event.key === "ArrowUp" || event.key === "PageUp") leave()
    if (event.target !== scroller.current || event.key !== "Home" && event.key !== "End") return
    event.preventDefault()
    if (event.key === "End") return toEnd()
    leave()
    list.current?.scrollToIndex(0)
  }
  const last = items.length - 1

  return (
    <div class="conversation">
      <div
        ref={scroller}
        class="scroller"
        tabIndex={0}
        role="region"
        aria-label="Conversation"
        onWheel={(event) => {
          onTouch()
          if (event.deltaY < 0) leave()
        }}
        onTouchMove={onTouch}
        onPointerDown={onTouch}
        onKeyDown={onKeyDown}
        onFocusCapture={onTouch}
      >
        <Virtualizer ref={list} data={items} scrollRef={scroller} bufferSize={400} onScroll={onScroll}>
          {(item, index) => (
            <Item
              key={item.key}
              session={session}
              item={item}
              processes={processes}
              streaming={index === last && run !== undefined && isEnding(item)}
            />
          )}
        </Virtualizer>
      </div>
      {away && (
        <button type="button" class="latest" onClick={toEnd}>
          <Icon name="down" /> Latest
        </button>
      )}
    </div>
  )
}

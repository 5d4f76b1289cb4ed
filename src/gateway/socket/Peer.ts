/**
 * The other end of a WebSocket: frames are written no faster than it reads them, and it is cut when it gives no sign of
 * life.
 *
 * @since 0.1.0
 */
import * as Deferred from "effect/Deferred"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FiberId from "effect/FiberId"
import type { Socket } from "node:net"
import type { WebSocket } from "ws"

/** @since 0.1.0 */
export interface Peer {
  /**
   * Writes the frames together; returns when the kernel has taken them, and never when the socket closes first. So
   * there is no buffer but the frames of those who wait.
   */
  readonly send: (frames: ReadonlyArray<string>) => Effect.Effect<void>
  /** Waits for the end of the connection. */
  readonly closed: Effect.Effect<void>
  /** Says why, waits for the other side to say so too, and cuts it if it does not. */
  readonly close: (code: number, reason: string) => Effect.Effect<void>
  /** Asks for a sign of life every so long, and cuts a peer that has given none for three times that. */
  readonly watch: (every: Duration.DurationInput) => Effect.Effect<void>
}

/** With so many bytes that the peer has not taken, what it sends is not read either. */
const unread = 256 * 1024

/** Beats without a sign of life until a peer is given up. */
const patience = 3

/** The protocol allows 123 bytes. */
const short = (reason: string) => Buffer.from(reason).subarray(0, 123).toString().replace(/\uFFFD$/, "")

/**
 * `onFrame` is called with each frame, `undefined` for a binary one; it must not wait.
 *
 * @since 0.1.0
 */
export const make = (ws: WebSocket, socket: Socket, onFrame: (text: string | undefined) => void): Peer => {
  const closed = Deferred.unsafeMake<void>(FiberId.none)
  ws.once("close", () => Deferred.unsafeDone(closed, Exit.void))
  // it breaks the protocol, or a frame is too large: ws closes with the code for it
  ws.on("error", () => {})
  ws.on("message", (data, isBinary) => {
    onFrame(isBinary ? undefined : data.toString())
    // who sends and does not read is not read either, or its replies would pile up
    if (ws.bufferedAmount > unread) ws.pause()
  })

  let waiting = 0
  let sent = 0

  const send: Peer["send"] = (frames) =>
    Effect.async((resume) => {
      waiting++
      // one system call for all
      socket.cork()
      frames.forEach((frame, index) =>
        ws.send(
          frame,
          index < frames.length - 1 ? undefined : (error) => {
            waiting--
            if (error != null) return
            sent++
            if (ws.isPaused && ws.bufferedAmount <= unread) ws.resume()
            resume(Effect.void)
          }
        )
      )
      socket.uncork()
    })

  const watch: Peer["watch"] = (every) =>
    Effect.suspend(() => {
      let missed = 0
      let last = { read: 0, sent: 0, waiting: 0 }
      const beat = Effect.sync(() => {
        const now = { read: socket.bytesRead, sent, waiting }
        // what had to wait for the peer and has gone out since was taken by it: a slow one may not come to our pings
        const alive = now.read > last.read || (last.waiting > 0 && now.sent > last.sent)
        missed = alive ? 0 : missed + 1
        last = now
        if (missed >= patience) ws.terminate()
        else ws.ping()
      })
      return Effect.forever(Effect.zipRight(Effect.sleep(every), beat))
    })

  return {
    send,
    watch,
    closed: Deferred.await(closed),
    close: (code, reason) =>
      Effect.suspend(() => {
        // the peer's goodbye is behind what was not read
        if (ws.isPaused) ws.resume()
        ws.close(code, short(reason))
        return Deferred.await(closed)
      })
  }
}

/** The console as it is read through the real nginx. */
import { describe, expect, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Nginx from "../gateway/nginx.js"
import * as Browser from "./browser.js"
import * as Scripted from "./scripted.js"

Browser.forFile()

describe.skipIf(Nginx.isMissing)(Nginx.title("behind nginx"), () => {
  for (const [name, config] of Object.entries({ defaults: Nginx.defaults, documented: Nginx.documented })) {
    it.scopedLive(
      `what an agent says is there as it says it, and its question is answered (${name})`,
      () =>
        Effect.gen(function*() {
          const seen = yield* Deferred.make<void>()
          // nginx by itself asks for its upstream's name, not for its own: then the page's origin has to be allowed
          const allowedOrigins = ["http://holdfast.example"]
          const gateway = yield* Scripted.gateway(({ ask, say }) =>
            Effect.gen(function*() {
              yield* say({ type: "TextChunk", text: "Half a sen" })
              yield* Deferred.await(seen)
              yield* say({ type: "TextChunk", text: "tence." })
              yield* ask({ kind: "confirmation", message: "Shall I go on?" })
              yield* say({ type: "TextChunk", text: "Thank you." })
            }), { allowedOrigins })
          const proxy = yield* Nginx.before(gateway, config)
          if (config === Nginx.defaults) allowedOrigins.push(proxy.url)
          const { page } = yield* Browser.open()
          yield* Browser.act(async () => {
            await page.goto(proxy.url)
            await Browser.begin(page, "go")
            // while the turn is open, and nothing ends the response that it comes in
            await page.getByText("Half a sen").waitFor()
            Deferred.unsafeDone(seen, Exit.void)
            await page.getByText("Half a sentence.").waitFor()
            await page.locator(".ask").getByRole("button", { name: "Yes" }).click()
            await page.getByText("Thank you.").waitFor()
            await Browser.runsEnded(page, 1)
            expect(await page.getByText("Not connected").count()).toBe(0)
          })
        }),
      120_000
    )
  }
})

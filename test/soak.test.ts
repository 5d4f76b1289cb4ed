/** `npm run soak`, small. */
import { expect, it } from "@effect/vitest"
import { soak } from "../scripts/soak/Soak.js"

it.skipIf(process.platform !== "linux")(
  "AG1 EB2 EB3 EL1 RS1 six sessions are shaken for some seconds: nothing is left, lost or mixed up",
  async () => {
    const { faults, figures } = await soak({
      sessions: 6,
      questions: 40,
      minutes: 5 / 60,
      seed: 1,
      onProgress: () => {},
      signal: new AbortController().signal
    })
    expect(faults).toEqual([])
    expect(figures).toMatchObject({ sessions: 6, answered: 40 })
    expect(figures["killed"]).toBeGreaterThan(0)
    expect(figures["restarts"]).toBeGreaterThan(0)
  },
  // it gives up by itself before
  180_000
)

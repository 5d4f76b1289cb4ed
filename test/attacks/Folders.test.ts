/** Sessions that would work where they must not. */
import * as NodeContext from "@effect/platform-node/NodeContext"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { leakFreeFile } from "holdfast/testing/vitest"
import * as NodeFs from "node:fs"
import * as NodePath from "node:path"
import * as Agent from "../../src/agent/Agent.js"
import * as EventLog from "../../src/log/EventLog.js"
import * as Sessions from "../../src/session/Sessions.js"
import * as ScriptedAgent from "../../src/testing/ScriptedAgent.js"
import { eventually, start, temporary } from "../program.js"

leakFreeFile({ grace: "5 seconds" })

/** `work` with a folder in it, `outside` beside it, and links that lead out. */
const folders = Effect.map(temporary, (made) => {
  const base = NodeFs.realpathSync(made)
  const at = (...parts: ReadonlyArray<string>) => NodePath.join(base, ...parts)
  for (const name of ["work", "work/inner", "work-too", "outside"]) NodeFs.mkdirSync(at(name))
  NodeFs.writeFileSync(at("work/file"), "")
  NodeFs.symlinkSync(at("outside"), at("work/link"))
  NodeFs.symlinkSync("..", at("work/up"))
  NodeFs.symlinkSync(at("work/inner"), at("outside/back"))
  NodeFs.symlinkSync(at("work"), at("alias"))
  return at
})

const open = (roots: ReadonlyArray<string> | undefined, cwd: string) =>
  Effect.gen(function*() {
    const sessions = yield* Sessions.Sessions
    return yield* sessions.create({ agent: "scripted", cwd })
  }).pipe(
    Effect.map(({ cwd }) => cwd),
    Effect.provide(
      Sessions.layerWith({ roots }).pipe(
        Layer.provide([
          EventLog.layerMemory,
          Layer.unwrapEffect(
            Effect.map(ScriptedAgent.make({ turn: () => Effect.void }), (agent) => Agent.layer([agent]))
          )
        ]),
        Layer.provide(NodeContext.layer)
      )
    )
  )

describe("a session's folder", () => {
  it.scopedLive("is any that there is, where no roots are configured", () =>
    Effect.gen(function*() {
      const at = yield* folders
      for (const name of ["work", "outside", "work/link"]) expect(yield* open(undefined, at(name))).toBe(at(name))
      for (const name of ["none", "work/file"]) {
        expect(yield* Effect.flip(open(undefined, at(name)))).toMatchObject({ _tag: "CwdInvalid" })
      }
    }))

  it.scopedLive("is a root or in one, and is what it really is", () =>
    Effect.gen(function*() {
      const at = yield* folders
      for (const roots of [[at("work")], [at("alias")], [at("none"), at("work")]]) {
        for (
          const [asked, real] of [
            ["work", "work"],
            ["work/inner", "work/inner"],
            ["work/inner/../inner", "work/inner"],
            ["outside/back", "work/inner"],
            ["alias/inner", "work/inner"]
          ] as const
        ) {
          expect(yield* open(roots, `${at()}/${asked}`), asked).toBe(at(real))
        }
      }
    }))

  it.scopedLive("leads out of the roots by no way: dots, links, or a name that begins alike", () =>
    Effect.gen(function*() {
      const at = yield* folders
      for (
        const asked of [
          "outside",
          "work-too",
          "work/../outside",
          "work/link",
          "work/link/../work-too",
          "work/up",
          "work/up/outside",
          "work/inner/../../outside",
          "work/%2e%2e/outside",
          "work\\..\\outside",
          "work/\u0000/../../outside",
          "",
          "none"
        ]
      ) {
        const error = yield* Effect.flip(open([at("work")], `${at()}/${asked}`))
        expect(error, asked).toMatchObject({ _tag: "CwdInvalid" })
        // what is there and what is not are told alike
        expect(error.message).toContain(`is not a folder in ${at("work")}`)
      }
      for (const cwd of ["/", "/etc", "/proc/self/cwd", "/proc/self/root", "~", "."]) {
        expect(yield* Effect.flip(open([at("work")], cwd)), cwd).toMatchObject({ _tag: "CwdInvalid" })
      }
    }))

  it.scopedLive("is held to the roots of the configuration by the program", () =>
    Effect.gen(function*() {
      const at = yield* folders
      NodeFs.writeFileSync(at("holdfast.yaml"), "roots: [work]\n")
      const running = yield* start(["serve", "--port", "0", "--data", at("data")], { cwd: at() })
      const url = yield* eventually(() => /listening on (\S+)\n/.exec(running.output().stdout)?.[1])
      const create = (cwd: string | undefined) =>
        Effect.promise(async () => {
          const response = await fetch(`${url}/v1/sessions`, {
            method: "POST",
            headers: { "content-type": "application/json", connection: "close" },
            body: JSON.stringify({ agent: "demo", cwd })
          })
          return { status: response.status, body: await response.json() }
        })
      expect(yield* create(at("work/inner"))).toMatchObject({ status: 201, body: { cwd: at("work/inner") } })
      for (const cwd of [at("outside"), at("work/link"), undefined]) {
        expect(yield* create(cwd)).toMatchObject({ status: 400, body: { _tag: "CwdInvalid" } })
      }
    }), 60_000)
})

/** Calls without the right token, to the program as it is built. */
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { leakFreeFile } from "holdfast/testing/vitest"
import * as NodeFs from "node:fs"
import * as NodePath from "node:path"
import { eventually, start, temporary } from "../program.js"

leakFreeFile({ grace: "5 seconds" })

const token = "correct-horse-battery-staple"

const serving = Effect.gen(function*() {
  const folder = yield* temporary
  const running = yield* start(["serve", "--port", "0", "--data", folder], {
    cwd: folder,
    env: { HOLDFAST_TOKEN: token }
  })
  const url = yield* eventually(() => /listening on (\S+)\n/.exec(running.output().stdout)?.[1])
  const call = (path: string, headers: Record<string, string> = {}, method = "GET") =>
    Effect.promise(async () => {
      const response = await fetch(`${url}${path}`, { method, headers: { connection: "close", ...headers } })
      return { status: response.status, headers: response.headers, text: await response.text() }
    })
  return { ...running, folder, call }
})

const routes = ["/v1/agents", "/v1/sessions", "/v1/sessions/ses_x/events", "/docs", "/openapi.json", "/v1/none"]

describe("a gateway with a token", () => {
  it.scopedLive(
    "answers nobody who has none, a part of it, another, or it in another form",
    () =>
      Effect.gen(function*() {
        const { call } = yield* serving
        for (
          const authorization of [
            undefined,
            "",
            "Bearer",
            "Bearer ",
            `Bearer ${token.slice(0, -1)}`,
            `Bearer ${token}x`,
            `Bearer ${token.toUpperCase()}`,
            `Bearer ${token} ${token}`,
            `Bearer ${token}, Bearer wrong`,
            `Basic ${Buffer.from(`x:${token}`).toString("base64")}`,
            token,
            "Bearer null",
            "Bearer undefined"
          ]
        ) {
          const headers: Record<string, string> = authorization === undefined ? {} : { authorization }
          for (const route of authorization === undefined ? routes : ["/v1/agents"]) {
            const { status, text } = yield* call(route, headers)
            expect([status, JSON.parse(text)._tag], `${route} ${authorization}`).toEqual([401, "Unauthorized"])
          }
          for (const method of ["POST", "DELETE", "OPTIONS"]) {
            expect((yield* call("/v1/sessions", headers, method)).status).toBe(401)
          }
        }
        expect((yield* call("/v1/agents", { authorization: `Bearer ${token}` })).status).toBe(200)
        // what needs none: whether it lives, and the page that asks for it
        expect((yield* call("/health")).status).toBe(200)
        expect((yield* call("/")).text).toMatch(/^<!doctype html>/)
      }),
    60_000
  )

  it.scopedLive(
    "does not take it from an address, a cookie or another header, where logs and histories keep it",
    () =>
      Effect.gen(function*() {
        const { call } = yield* serving
        for (const name of ["token", "access_token"]) {
          const { status, text } = yield* call(`/v1/agents?${name}=${token}`, { authorization: `Bearer ${token}` })
          expect([status, JSON.parse(text)._tag], name).toEqual([400, "TokenInQuery"])
        }
        for (const name of ["auth", "authorization", "api_key", "Bearer", "ticket"]) {
          expect((yield* call(`/v1/agents?${name}=${token}`)).status, name).toBe(401)
        }
        for (
          const headers of [
            { cookie: `token=${token}; authorization=Bearer ${token}` },
            { "x-api-key": token },
            { "x-authorization": `Bearer ${token}` },
            { "proxy-authorization": `Bearer ${token}` }
          ]
        ) {
          expect((yield* call("/v1/agents", headers)).status).toBe(401)
        }
        // the exemption is /health's, and of nothing that looks like it
        for (
          const path of [
            "/health/",
            "/health/../v1/agents",
            "/health%2f..%2fv1/agents",
            "//health",
            "/health;x",
            "/v1/agents#/health"
          ]
        ) {
          expect([401, 200]).toContain((yield* call(path)).status)
          expect((yield* call(path)).text).not.toContain("demo")
        }
      }),
    60_000
  )

  it.scopedLive("tells it to no one: not in an answer, a log line, or its data", () =>
    Effect.gen(function*() {
      const { call, exited, folder, output, process } = yield* serving
      const authorization = `Bearer ${token}`
      const answers = yield* Effect.forEach(
        [`/v1/agents?token=${token}`, "/v1/agents", "/health", "/v1/sessions/ses_none", "/v1/sessions?limit=0"],
        (path) => call(path, { authorization })
      )
      process.kill("SIGTERM")
      yield* exited
      for (const { text } of answers) expect(text).not.toContain(token)
      const { stderr, stdout } = output()
      expect(stdout + stderr).not.toContain(token)
      for (const name of NodeFs.readdirSync(folder, { recursive: true, encoding: "utf8" })) {
        const file = NodePath.join(folder, name)
        if (NodeFs.statSync(file).isFile()) expect(NodeFs.readFileSync(file).includes(token), name).toBe(false)
      }
    }), 60_000)
})

describe("a gateway without a token", () => {
  it.scopedLive("does not start where others can reach it", () =>
    Effect.gen(function*() {
      const hosts = ["0.0.0.0", "::", "[::]", "192.168.1.1", "example.com", "127.0.0.1.nip.io", "127.0.0.256"]
      const tries = [...hosts.map((host) => ({ host, env: {} })), { host: "0.0.0.0", env: { HOLDFAST_TOKEN: "" } }]
      yield* Effect.forEach(tries, ({ env, host }) =>
        Effect.gen(function*() {
          const folder = yield* temporary
          const args = ["serve", "--port", "0", "--host", host, "--data", folder]
          const running = yield* start(args, { cwd: folder, env })
          expect(yield* running.exited, host).toEqual({ code: 2, signal: null })
          const { stderr, stdout } = running.output()
          expect(stdout).toBe("")
          expect(stderr).toMatch(/token|cannot listen/)
        }), { concurrency: 4, discard: true })
    }), 120_000)
})

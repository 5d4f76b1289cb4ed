/**
 * The console: a page for the browser, as files that were built with the package.
 *
 * They are read once, at the start. What a request names is looked up among them and never on a disk, so no path leads anywhere else;
 * and a gateway whose package is replaced while it runs goes on with the page that it knows.
 *
 * The page holds no secret, so it is given out without a token: it asks for the token itself.
 *
 * @since 0.1.0
 */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as FileSystem from "@effect/platform/FileSystem"
import * as HttpLayerRouter from "@effect/platform/HttpLayerRouter"
import * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { fileURLToPath } from "node:url"
import * as Zlib from "node:zlib"
import { RouteNotFound, toResponse } from "./GatewayError.js"

interface File {
  readonly path: `/${string}`
  readonly type: string
  readonly bytes: Uint8Array
  /** Made when it is first asked for; empty for what is compressed already. */
  readonly zipped: Effect.Effect<Uint8Array>
}

/** @since 0.1.0 */
export interface Console {
  /** What needs no token. */
  readonly paths: ReadonlySet<string>
  readonly routes: Layer.Layer<never, never, HttpLayerRouter.HttpRouter>
}

/** Beside the folder of this file, in the library as in the program. */
const place = fileURLToPath(new URL("../console/", import.meta.url))

const types: Readonly<Record<string, string>> = {
  css: "text/css; charset=utf-8",
  html: "text/html; charset=utf-8",
  js: "text/javascript; charset=utf-8",
  svg: "image/svg+xml"
}

/**
 * Only what the gateway serves is loaded, called or run, nothing that stands inside the page, and nothing that is made out of text
 * (Trusted Types): what an agent says stays text also where the page has a fault. No other page can hold this one in a frame.
 */
const policy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "media-src data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'"
].join("; ")

const always = {
  "x-content-type-options": "nosniff",
  "cross-origin-resource-policy": "same-origin",
  vary: "accept-encoding"
}

const page = {
  ...always,
  "cache-control": "no-cache",
  "content-security-policy": policy,
  "cross-origin-opener-policy": "same-origin",
  "referrer-policy": "no-referrer"
}

/** Their names change with their content. */
const asset = { ...always, "cache-control": "public, max-age=31536000, immutable" }

const gzip = (bytes: Uint8Array) =>
  Effect.async<Uint8Array>((resume) =>
    Zlib.gzip(bytes, (error, zipped) => resume(error === null ? Effect.succeed(zipped) : Effect.die(error)))
  )

const read = Effect.fnUntraced(function*(fs: FileSystem.FileSystem, file: string, path: `/${string}`) {
  const bytes = yield* fs.readFile(file)
  const type = types[file.slice(file.lastIndexOf(".") + 1)] ?? "application/octet-stream"
  return { path, type, bytes, zipped: yield* Effect.cached(gzip(bytes)) } satisfies File
})

/** All or nothing: a page without its parts is none. */
const readFolder = Effect.fnUntraced(function*(fs: FileSystem.FileSystem, folder: string) {
  const names = yield* fs.readDirectory(`${folder}/assets`)
  return yield* Effect.all([
    read(fs, `${folder}/index.html`, "/"),
    ...names.map((name) => read(fs, `${folder}/assets/${name}`, `/assets/${name}`))
  ], { concurrency: 8 })
})

const zips = (request: HttpServerRequest.HttpServerRequest) =>
  /\bgzip\b(?!\s*;\s*q=0(\.0*)?(,|$))/.test(request.headers["accept-encoding"] ?? "")

const respond = ({ bytes, path, type, zipped }: File) =>
  Effect.flatMap(HttpServerRequest.HttpServerRequest, (request) => {
    const headers = path === "/" ? page : asset
    return zips(request)
      ? Effect.map(
        zipped,
        (body) =>
          HttpServerResponse.uint8Array(body, {
            contentType: type,
            headers: { ...headers, "content-encoding": "gzip" }
          })
      )
      : Effect.succeed(HttpServerResponse.uint8Array(bytes, { contentType: type, headers }))
  })

const missing = toResponse(
  new RouteNotFound({ message: "the console is not part of this installation; /docs describes the HTTP interface" })
)

/**
 * Of `folder`, or of the package. Where it is not there, `GET /` says so.
 *
 * @since 0.1.0
 */
export const load = (folder?: string): Effect.Effect<Console> =>
  Effect.gen(function*() {
    const fs = yield* FileSystem.FileSystem
    const files = yield* Effect.orElseSucceed(readFolder(fs, folder ?? place), (): ReadonlyArray<File> => [])
    const routes = files.map((file) => HttpLayerRouter.add("GET", file.path, respond(file)))
    return {
      paths: new Set(files.map((file) => file.path)),
      routes: Layer.mergeAll(
        files.length === 0 ? HttpLayerRouter.add("GET", "/", Effect.succeed(missing)) : Layer.empty,
        ...routes
      )
    }
  }).pipe(Effect.provide(NodeFileSystem.layer))

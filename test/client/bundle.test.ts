/** What a browser is given. It is built from `dist`, as a user's bundler finds it in the package. */
import { build } from "esbuild"
import { fileURLToPath } from "node:url"
import { gzipSync } from "node:zlib"
import { describe, expect, it } from "vitest"

const dist = fileURLToPath(new URL("../../dist/client/index.js", import.meta.url))

const bundle = async (contents: string) => {
  const { metafile, outputFiles } = await build({
    stdin: { contents, resolveDir: fileURLToPath(new URL(".", import.meta.url)) },
    alias: { "holdfast/client": dist },
    bundle: true,
    minify: true,
    platform: "browser",
    format: "esm",
    target: "es2022",
    write: false,
    metafile: true,
    logLevel: "silent"
  })
  const [output] = outputFiles
  if (output === undefined) throw new Error("nothing was built")
  const used = Object.values(metafile.outputs).flatMap(({ inputs }) =>
    Object.entries(inputs).filter(([, { bytesInOutput }]) => bytesInOutput > 0).map(([path]) => path)
  )
  return { used, gzipped: gzipSync(output.contents).byteLength }
}

describe("in a browser", () => {
  it("createClient is small and brings nothing of Effect or Node along", async () => {
    const { gzipped, used } = await bundle("export { createClient, HoldfastError } from \"holdfast/client\"")
    const others = used.filter((path) => !/^(<stdin>|dist\/client\/|node_modules\/eventsource-parser\/)/.test(path))
    expect(others).toEqual([])
    expect(gzipped).toBeLessThan(4 * 1024)
  })

  it("Client bundles too, without anything of Node", async () => {
    const { gzipped, used } = await bundle(
      "export { Client } from \"holdfast/client\"; export * as FetchHttpClient from \"@effect/platform/FetchHttpClient\""
    )
    expect(used.filter((path) => /platform-node|node_modules\/ws\/|^node:/.test(path))).toEqual([])
    expect(gzipped).toBeLessThan(200 * 1024)
  }, 60_000)
})

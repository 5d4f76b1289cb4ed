/** The console as static files: `dist/console`, from which the gateway serves it (src/gateway/Console.ts). */
import * as fs from "node:fs"
import { fileURLToPath } from "node:url"
import { defineConfig } from "vite"

const here = (path) => fileURLToPath(new URL(path, import.meta.url))

/** The licences of what is in the files: who passes on a copy passes them on, too. */
const licences = {
  name: "licences",
  generateBundle(_, bundle) {
    const folders = new Set(
      Object.values(bundle).flatMap((chunk) => Object.keys(chunk.modules ?? {}))
        .map((id) => /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(id.replace(/^\0/, ""))?.[0])
        .filter((folder) => folder !== undefined && fs.existsSync(`${folder}/package.json`))
    )
    const texts = Array.from(folders).sort().map((folder) => {
      const { license, name, version } = JSON.parse(fs.readFileSync(`${folder}/package.json`, "utf8"))
      const file = fs.readdirSync(folder).find((name) => /^licen[cs]e/i.test(name))
      const text = file === undefined ? "" : `\n\n${fs.readFileSync(`${folder}/${file}`, "utf8").trim()}`
      return `${name} ${version} (${license})${text}\n`
    })
    this.emitFile({ type: "asset", fileName: "licences.txt", source: texts.join("\n---\n\n") })
  }
}

export default defineConfig({
  root: here("."),
  // relative, so that it works also below a path of a reverse proxy
  base: "./",
  publicDir: false,
  plugins: [licences],
  logLevel: "warn",
  resolve: {
    alias: [
      // virtua is written for React
      { find: /^react(-dom)?$/, replacement: "preact/compat" },
      { find: /^react\/jsx-runtime$/, replacement: "preact/jsx-runtime" },
      // its package.json names a module that is not in the package
      { find: /^@xterm\/headless$/, replacement: "@xterm/headless/lib-headless/xterm-headless.mjs" }
    ]
  },
  esbuild: { jsx: "automatic", jsxImportSource: "preact", legalComments: "none" },
  build: {
    outDir: here("../dist/console"),
    emptyOutDir: true,
    target: ["es2022", "chrome123", "firefox120", "safari17.5"],
    // the Content-Security-Policy allows files of the gateway and nothing that stands inside the page
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
    rollupOptions: {
      // what a library says to a server's bundler
      onwarn: (warning, warn) => /MODULE_LEVEL_DIRECTIVE|INVALID_ANNOTATION/.test(warning.code ?? "") || warn(warning)
    }
  }
})

/** The console as static files: `dist/console`, from which the gateway serves it (src/gateway/Console.ts). */
import { fileURLToPath } from "node:url"
import { defineConfig } from "vite"

const here = (path) => fileURLToPath(new URL(path, import.meta.url))

export default defineConfig({
  root: here("."),
  // relative, so that it works also below a path of a reverse proxy
  base: "./",
  publicDir: false,
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

/**
 * Finds Effects that float and the like, with the rules of `@effect/language-service`: its warnings count as errors.
 *
 * Its own `diagnostics` command builds the program anew for each fifty files, which takes three times as long.
 */
import rules from "@effect/language-service/transform.js"
import * as path from "node:path"
import { fileURLToPath } from "node:url"
import ts from "typescript"

process.chdir(fileURLToPath(new URL("..", import.meta.url)))

const { config, error } = ts.readConfigFile("tsconfig.json", ts.sys.readFile)
if (error !== undefined) throw new Error(ts.flattenDiagnosticMessageText(error.messageText, "\n"))
const { fileNames, options } = ts.parseJsonConfigFileContent(config, ts.sys, ".")
const plugin = options.plugins.find(({ name }) => name === "@effect/language-service")
const program = ts.createProgram(fileNames, options)

const found = []
const check = rules.default(program, plugin, { ts, addDiagnostic: (diagnostic) => found.push(diagnostic) })()
for (const name of fileNames) check(program.getSourceFile(name))

console.log(ts.formatDiagnosticsWithColorAndContext(found, {
  getCurrentDirectory: ts.sys.getCurrentDirectory,
  getCanonicalFileName: path.normalize,
  getNewLine: () => "\n"
}))
console.log(`${fileNames.length} files, ${found.length} found`)
process.exitCode = found.length === 0 ? 0 : 1

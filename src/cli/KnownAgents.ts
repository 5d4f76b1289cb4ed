/**
 * The agents that people commonly have installed, offered without configuration when their command is on the PATH.
 *
 * @see https://agentclientprotocol.com/get-started/registry for the arguments with which each speaks the protocol
 * @since 0.1.0
 */
import * as FileSystem from "@effect/platform/FileSystem"
import * as Path from "@effect/platform/Path"
import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"

/** @since 0.1.0 */
export interface KnownAgent {
  /** What it is called in `--agent`. */
  readonly name: string
  readonly command: string
  readonly args: ReadonlyArray<string>
  readonly description: string
  /** The variables in which it takes its key, given to it if they are set: an agent sees little else of our environment. */
  readonly keys: ReadonlyArray<string>
}

const known = (
  name: string,
  description: string,
  command: string,
  args: ReadonlyArray<string>,
  keys: ReadonlyArray<string> = []
): KnownAgent => ({ name, command, args, description, keys })

/** Of two entries with one name the first that is installed is taken. @since 0.1.0 */
export const all: ReadonlyArray<KnownAgent> = [
  known("claude", "Claude Code", "claude-agent-acp", [], ["ANTHROPIC_API_KEY"]),
  // the adapter's earlier name
  known("claude", "Claude Code", "claude-code-acp", [], ["ANTHROPIC_API_KEY"]),
  known("codex", "Codex", "codex-acp", [], ["OPENAI_API_KEY", "CODEX_API_KEY"]),
  known("gemini", "Gemini CLI", "gemini", ["--acp"], ["GEMINI_API_KEY", "GOOGLE_API_KEY"]),
  known("copilot", "GitHub Copilot CLI", "copilot", ["--acp"], ["COPILOT_GITHUB_TOKEN", "GH_TOKEN", "GITHUB_TOKEN"]),
  known("opencode", "opencode", "opencode", ["acp"]),
  known("qwen", "Qwen Code", "qwen", ["--acp"], ["OPENAI_API_KEY", "OPENAI_BASE_URL", "OPENAI_MODEL"]),
  known("goose", "goose", "goose", ["acp"]),
  known("cursor", "Cursor", "cursor-agent", ["acp"], ["CURSOR_API_KEY"]),
  known("kimi", "Kimi CLI", "kimi", ["acp"]),
  known("auggie", "Auggie CLI", "auggie", ["--acp"]),
  known("cline", "Cline", "cline", ["--acp"]),
  known("kilo", "Kilo", "kilo", ["acp"]),
  known("vibe", "Mistral Vibe", "vibe-acp", [], ["MISTRAL_API_KEY"]),
  known("amp", "Amp", "amp-acp", [], ["AMP_API_KEY"]),
  known("pi", "pi", "pi-acp", [])
]

/**
 * Those of them that are installed.
 *
 * @since 0.1.0
 */
export const installed: Effect.Effect<ReadonlyArray<KnownAgent>, never, FileSystem.FileSystem | Path.Path> = Effect.gen(
  function*() {
    const fs = yield* FileSystem.FileSystem
    const path = yield* Path.Path
    const search = yield* Config.string("PATH").pipe(Effect.orElseSucceed(() => ""))
    // a relative entry of the PATH would let the working folder choose the program
    const folders = search.split(":").filter((folder) => path.isAbsolute(folder))
    const executable = (file: string) =>
      fs.stat(file).pipe(
        Effect.map((info) => info.type === "File" && (info.mode & 0o111) !== 0),
        Effect.orElseSucceed(() => false)
      )
    const found = yield* Effect.filter(
      all,
      (agent) =>
        Effect.findFirst(folders, (folder) => executable(path.join(folder, agent.command))).pipe(
          Effect.map(Option.isSome)
        ),
      { concurrency: 8 }
    )
    return found.filter((agent, index) => found.findIndex((other) => other.name === agent.name) === index)
  }
)

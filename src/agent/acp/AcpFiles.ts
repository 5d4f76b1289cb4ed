/**
 * The files that an agent may read and write through its client: those below the session's working folder, links followed first.
 *
 * A path is resolved, checked and only then opened, and someone may swap a folder for a link in between. So a file is opened without
 * following a link, and on Linux the open descriptor itself is asked where it is; a file is made through the descriptor of its folder.
 * Where descriptors cannot be asked (macOS) the check before the open is all there is.
 *
 * @see https://agentclientprotocol.com/protocol/file-system
 * @since 0.1.0
 */
import * as acp from "@agentclientprotocol/sdk"
import * as Effect from "effect/Effect"
import { constants } from "node:fs"
import * as fs from "node:fs/promises"
import * as path from "node:path"
import * as Folder from "../../log/Folder.js"

/** @since 0.1.0 */
export interface AcpFiles {
  readonly read: (params: acp.ReadTextFileRequest) => Effect.Effect<acp.ReadTextFileResponse, acp.RequestError>
  readonly write: (params: acp.WriteTextFileRequest) => Effect.Effect<acp.WriteTextFileResponse, acp.RequestError>
}

const linux = process.platform === "linux"
const { O_CREAT, O_DIRECTORY, O_NOFOLLOW, O_NONBLOCK, O_RDONLY, O_WRONLY } = constants

const codeOf = (cause: unknown) => cause instanceof Error && "code" in cause ? cause.code : undefined

const refuse = (message: string) => new acp.RequestError(-32602, message)

const toRequestError = (file: string) => (cause: unknown): acp.RequestError => {
  if (cause instanceof acp.RequestError) return cause
  switch (codeOf(cause)) {
    case "ENOENT":
      return acp.RequestError.resourceNotFound(file)
    case "ELOOP":
      return refuse(`${file} is a link that leads out of the working folder or to nothing`)
    default:
      return new acp.RequestError(-32603, cause instanceof Error ? cause.message : String(cause))
  }
}

/** Where the path leads when every link is followed; of what does not exist, the part that does. */
const resolve = async (file: string): Promise<string> => {
  try {
    return await fs.realpath(file)
  } catch (cause) {
    const parent = path.dirname(file)
    if (codeOf(cause) !== "ENOENT" || parent === file) throw cause
    return path.join(await resolve(parent), path.basename(file))
  }
}

/** `limit` is the size, in bytes, of the largest file that is read. @since 0.1.0 */
export const make = (options: { readonly root: string; readonly limit: number }): AcpFiles => {
  const confined = (root: string, file: string, real: string): string => {
    const relative = path.relative(root, real)
    if (relative === ".." || relative.startsWith(`..${path.sep}`) || path.isAbsolute(relative)) {
      throw refuse(`${file} is outside of the session's working folder ${root}`)
    }
    return real
  }

  const locate = async (file: string): Promise<readonly [root: string, real: string]> => {
    if (!path.isAbsolute(file)) throw refuse(`${file} is not an absolute path`)
    const root = await fs.realpath(options.root)
    return [root, confined(root, file, await resolve(path.normalize(file)))]
  }

  /** What is open is where it was thought to be. */
  const verify = async (handle: fs.FileHandle, root: string, file: string) => {
    if (linux) confined(root, file, await fs.readlink(`/proc/self/fd/${handle.fd}`))
  }

  const withHandle = async <A>(
    opening: Promise<fs.FileHandle>,
    use: (handle: fs.FileHandle) => Promise<A>
  ): Promise<A> => {
    const handle = await opening
    try {
      return await use(handle)
    } finally {
      await handle.close()
    }
  }

  const readText = async ({ limit, line, path: file }: acp.ReadTextFileRequest) => {
    const [root, real] = await locate(file)
    // O_NONBLOCK: to open a named pipe would wait for its writer
    const bytes = await withHandle(fs.open(real, O_RDONLY | O_NOFOLLOW | O_NONBLOCK), async (handle) => {
      await verify(handle, root, file)
      const stat = await handle.stat()
      if (!stat.isFile()) throw refuse(`${file} is not a file`)
      if (stat.size > options.limit) {
        throw refuse(`${file} has ${stat.size} bytes; at most ${options.limit} can be read`)
      }
      return handle.readFile()
    })
    const text = decode(bytes, file)
    if (line == null && limit == null) return { content: text }
    const from = Math.max((line ?? 1) - 1, 0)
    // a line keeps its own end, so that lines joined are the file
    const lines = text.match(/[^\n]*\n|[^\n]+$/g) ?? []
    return { content: lines.slice(from, limit == null ? undefined : from + limit).join("") }
  }

  const writeText = async ({ content, path: file }: acp.WriteTextFileRequest) => {
    const [root, real] = await locate(file)
    const folder = path.dirname(real)
    await fs.access(folder).catch(() => Folder.make(folder))
    await withHandle(fs.open(folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW), async (parent) => {
      await verify(parent, root, file)
      const target = linux ? `/proc/self/fd/${parent.fd}/${path.basename(real)}` : real
      await withHandle(fs.open(target, O_WRONLY | O_CREAT | O_NOFOLLOW | O_NONBLOCK, 0o666), async (handle) => {
        if (!(await handle.stat()).isFile()) throw refuse(`${file} is not a file`)
        await handle.truncate()
        await handle.writeFile(content)
      })
    })
    return {}
  }

  return {
    read: (params) => Effect.tryPromise({ try: () => readText(params), catch: toRequestError(params.path) }),
    write: (params) => Effect.tryPromise({ try: () => writeText(params), catch: toRequestError(params.path) })
  }
}

const decode = (bytes: Uint8Array, file: string): string => {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    throw refuse(`${file} is not text in UTF-8`)
  }
}

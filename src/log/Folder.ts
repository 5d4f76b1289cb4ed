/**
 * Makes folders.
 *
 * @since 0.1.0
 */
import * as Predicate from "effect/Predicate"
import * as fs from "node:fs/promises"
import * as path from "node:path"

const isFolder = (folder: string): Promise<boolean> => fs.stat(folder).then((stat) => stat.isDirectory(), () => false)

/**
 * With what is missing above it; it is fine if it is there. Rejected with the error of the system.
 *
 * Node's own recursion never ends where the system says that a folder is missing though it is there, as of all that is made in `/proc`. What
 * waits for it waits for ever, with a thread of the four that all share.
 *
 * @since 0.1.0
 */
export const make = async (folder: string, mode?: number): Promise<void> => {
  try {
    await fs.mkdir(folder, { mode })
  } catch (error) {
    if (await isFolder(folder)) return
    const above = path.dirname(folder)
    const missing = Predicate.hasProperty(error, "code") && error.code === "ENOENT"
    if (!missing || (await isFolder(above))) throw error
    await make(above, mode)
    await make(folder, mode)
  }
}

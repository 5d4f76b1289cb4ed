/**
 * Makes folders.
 *
 * @since 0.1.0
 */
import * as Predicate from "effect/Predicate"
import * as fs from "node:fs"
import * as path from "node:path"

const isFolder = (folder: string): boolean => fs.statSync(folder, { throwIfNoEntry: false })?.isDirectory() === true

/**
 * With what is missing above it; it is fine if it is there. Throws the error of the system.
 *
 * Node's own recursion never ends where the system says that a folder is missing though it is there, as of all that is made in `/proc`: it
 * blocks the process, or one of the four threads that all files share.
 *
 * @since 0.1.0
 */
export const make = (folder: string, mode?: number): void => {
  try {
    fs.mkdirSync(folder, { mode })
  } catch (error) {
    if (isFolder(folder)) return
    const above = path.dirname(folder)
    const missing = Predicate.hasProperty(error, "code") && error.code === "ENOENT"
    if (!missing || isFolder(above)) throw error
    make(above, mode)
    make(folder, mode)
  }
}

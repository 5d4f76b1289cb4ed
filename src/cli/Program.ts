/**
 * The program itself: its version, and how to start it again (the demo agent is this very program).
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"

/** @since 0.1.0 */
export class Program extends Context.Tag("holdfast/cli/Program")<Program, {
  readonly version: string
  readonly command: string
  readonly args: ReadonlyArray<string>
}>() {}

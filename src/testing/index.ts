/**
 * The test kit, published as `holdfast/testing`.
 *
 * - `ScriptedAgent`: an agent in memory whose turns are Effect programs.
 *
 * @since 0.1.0
 */
export * as ScriptedAgent from "./ScriptedAgent.js"

/**
 * The test kit, published as `holdfast/testing`.
 *
 * - `FaultyNetwork`: delays, stalls and cuts connections.
 * - `Interleave`: finds the order of events in which a concurrent program breaks.
 * - `LeakCheck`: tells what a program leaves behind.
 * - `ScriptedAgent`: an agent in memory whose turns are Effect programs.
 *
 * @since 0.1.0
 */
export * as FaultyNetwork from "./FaultyNetwork.js"
export * as Interleave from "./Interleave.js"
export * as LeakCheck from "./LeakCheck.js"
export * as ScriptedAgent from "./ScriptedAgent.js"

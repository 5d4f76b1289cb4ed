/** What of the memory is in use, without what waits to be collected: how much that is depends on the machine. */
import * as v8 from "node:v8"
import * as vm from "node:vm"

export const collect: () => void = (() => {
  v8.setFlagsFromString("--expose-gc")
  return vm.runInNewContext("gc")
})()

/** In bytes. */
export const inUse = (): number => {
  collect()
  const { external, heapUsed } = process.memoryUsage()
  return heapUsed + external
}

import { leakFreeFile } from "holdfast/testing/vitest"
import * as MemoryStore from "../../src/log/MemoryStore.js"
import { suite } from "./suite.js"

leakFreeFile()

suite("memory", MemoryStore.make)

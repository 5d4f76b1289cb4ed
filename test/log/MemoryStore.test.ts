import * as MemoryStore from "../../src/log/MemoryStore.js"
import { suite } from "./suite.js"

suite("memory", MemoryStore.make)

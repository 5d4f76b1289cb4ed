/**
 * Imported by every file with properties: they try the same cases in each run, so that none fails by accident, and others where
 * `HOLDFAST_TEST_SEED` names another seed.
 */
import * as FastCheck from "effect/FastCheck"

FastCheck.configureGlobal({ seed: Number(process.env["HOLDFAST_TEST_SEED"] ?? 20261127) })

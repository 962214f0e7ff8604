/**
 * The suite that tells whether a driver keeps what Slotkeeper promises.
 * @module @slotkeeper/testing/conformance
 */
export { type ConformanceOptions, conformance, type TestFunction } from './conformance/conformance.ts'
export { type ModelTestOptions, modelTest } from './model/model-test.ts'

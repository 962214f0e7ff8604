/**
 * Real processes on a real store, tortured, and judged by what they saw.
 * @module @slotkeeper/testing/torture
 */
export { torture } from './conductor.ts'
export { judgeTorture, type TortureViolation } from './judge-torture.ts'
export type { FaultKind, FenceWrite, OfRun, Said, TortureLine } from './lines.ts'
export type { StoreFaults, TortureFigures, TortureOptions, TortureReport } from './options.ts'

/**
 * Real processes on a real store, tortured, and judged by what they saw.
 * @packageDocumentation
 */
export { torture } from './conductor.ts'
export { judgeTorture, type TortureViolation } from './judge-torture.ts'
export type { FaultKind, FenceWrite, TortureLine } from './lines.ts'
export type { StoreFaults, TortureFigures, TortureOptions, TortureReport } from './options.ts'

import type { PaceOptions } from '../harness/pace.ts'

/**
 * The pace of steps that wait for a server, of ours and of what they are held against: at some hundreds a second, code is compiled late, and a
 * controller works for days.
 */
export const slow: PaceOptions = { every: 16, seconds: 2, warmingUp: 4, cpuBound: false }

/**
 * The simulation: the shipped Manager in several processes, in virtual time, through everything that can go wrong.
 * @module @slotkeeper/testing/simulation
 */
export { CALLS, type Call, Coverage, FAULTS, type Fault } from './simulation/coverage.ts'
export type { WireFault } from './simulation/network.ts'
export type { FaultStep, OpStep, Step } from './simulation/plan.ts'
export {
  type Simulated,
  type SimulateOptions,
  SimulationError,
  simulate,
  trySeed,
} from './simulation/simulate.ts'
export type { BrokenRule, RuleNumber } from './simulation/violation.ts'

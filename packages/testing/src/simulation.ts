/**
 * The simulation: the shipped Manager in several processes, in virtual time, through everything that can go wrong.
 * @packageDocumentation
 */
export { CALLS, type Call, Coverage, FAULTS, type Fault } from './simulation/coverage.ts'
export {
  type Simulated,
  type SimulateOptions,
  SimulationError,
  simulate,
  trySeed,
} from './simulation/simulate.ts'
export type { BrokenRule, RuleNumber } from './simulation/violation.ts'

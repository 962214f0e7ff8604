/**
 * For tests of code that uses Slotkeeper: a Manager in fake time, drivers that fail on demand, and histories with an independent judge.
 * @module @slotkeeper/testing
 */

export { type FakeClock, fakeClock } from './fake-clock.ts'
export { type LogEntry, type RecordingLogger, recordingLogger } from './fakes/recording-logger.ts'
export {
  type TestManager,
  type TestManagerOptions,
  type TestProcess,
  testManager,
} from './fakes/test-manager.ts'
export {
  type FaultOptions,
  type FaultyCall,
  FaultyDriver,
  type FaultyDriverOptions,
  faultyDriver,
} from './faults/faulty-driver.ts'
export type * from './history/entries.ts'
export { History } from './history/history.ts'
export { judge, type Violation } from './history/judge.ts'

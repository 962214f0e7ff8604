/**
 * Slots in one process's memory.
 * @module @slotkeeper/driver-memory
 */
export { type MemoryDriverOptions, memoryDriver } from './memory-driver.ts'
export { type MemoryStore, memoryStore } from './memory-store.ts'

/**
 * Slots in one process's memory.
 * @packageDocumentation
 */
export { type MemoryDriverOptions, memoryDriver } from './memory-driver.ts'
export { type MemoryStore, memoryStore } from './memory-store.ts'

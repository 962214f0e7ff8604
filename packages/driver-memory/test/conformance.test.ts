import { conformance } from '@slotkeeper/testing/conformance'
import { test } from 'vitest'
import { type MemoryStore, memoryDriver, memoryStore } from '../src/index.ts'

const stores = new Map<string, MemoryStore>()

function named(store: string): MemoryStore {
  const known = stores.get(store) ?? memoryStore()
  stores.set(store, known)
  return known
}

conformance({
  test,
  open: (store) => memoryDriver({ store: named(store) }),
  cleanup: (store) => void stores.delete(store),
})

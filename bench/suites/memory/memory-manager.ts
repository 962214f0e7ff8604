import { Manager } from '@slotkeeper/core'
import { memoryDriver } from '@slotkeeper/driver-memory'
import type { Context, Measure, Sample } from '../../harness/case.ts'

/** A subject that works with a Manager with default options over a memory driver with default options. */
export function withMemory(work: (manager: Manager, context: Context) => Promise<Sample>): Measure {
  return async (context) => {
    await using manager = new Manager({ driver: memoryDriver() })
    return await work(manager, context)
  }
}

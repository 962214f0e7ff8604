import { memoryDriver } from '@slotkeeper/driver-memory'
import type { Case } from '../../harness/case.ts'
import { writesFigures, writesSubjects } from '../writes.ts'

/** What is written while nothing happens. */
export const writes: Case = {
  name: 'writes',
  mostRuns: 3,
  subjects: writesSubjects(() => ({ driver: memoryDriver() })),
  figures: writesFigures,
}

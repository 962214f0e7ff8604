import type { RunRef } from './driver.ts'
import { type RefusalReason, SlotRefusedError } from './errors.ts'

/** A run as messages name it. */
export function nameOf({ repository, run }: RunRef): string {
  return `${repository} ${run}`
}

const EXPLAINED: Record<RefusalReason, string> = {
  limit: 'All slots are taken.',
  queue: 'Others wait already.',
  paused: 'The repository is paused.',
  draining: 'The repository is draining and takes no new runs.',
  removed: 'The run or its repository was removed.',
  finished: 'This attempt is over; a new attempt needs a new uid, or none.',
  absent: 'There is no such slot.',
}

/** The error for those who were promised a slot. */
export function refused(
  of: RunRef,
  reason: RefusalReason | 'held-elsewhere',
  detail?: string,
): SlotRefusedError {
  return new SlotRefusedError(
    nameOf(of),
    reason,
    detail ?? (reason === 'held-elsewhere' ? '' : EXPLAINED[reason]),
  )
}

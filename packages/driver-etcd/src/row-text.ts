import { blankRun, type RunRow } from '@slotkeeper/core/driver'
import { withoutBlank } from './without-blank.ts'

/** A row by itself, for a key of its own. */
export function rowText(row: RunRow): string {
  return JSON.stringify(withoutBlank<RunRow>(row, blankRun))
}

/** The row that such a text was made of. */
export function rowOf(fields: Partial<RunRow>): RunRow {
  return { ...blankRun, ...fields } as RunRow
}

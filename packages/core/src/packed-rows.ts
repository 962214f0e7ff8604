import type { HolderId, RepositoryKey, RunKey } from './keys.ts'
import { blankRun, type RunRow } from './rows.ts'

/** What is not simply written where it is different. */
const OTHERS: readonly string[] = ['holder', 'sequence']
type Field = Exclude<keyof RunRow, 'repository' | 'run' | 'holder' | 'sequence'>
const FIELDS = Object.keys(blankRun).filter((field) => !OTHERS.includes(field)) as readonly Field[]
/** The tickets of one caller have so many last letters of their own. */
const CALL_LETTERS = 8

/**
 * A row among many that a store keeps in one value: what is different from the row before it, of the first one from a blank row; `null` for
 * what that row has and this one has not. Its sequence is left out where it is the next one.
 */
export type PackedRow = { readonly run: RunKey; readonly sequence?: number } & {
  /** The holder's place among those that are given besides. */
  readonly by?: number | null
  /** The last letters of a ticket of the same caller. */
  readonly call?: string
  /** It was queued so much later. */
  readonly later?: number
} & {
  readonly [field in Exclude<keyof RunRow, 'repository' | 'run' | 'holder' | 'sequence'>]?:
    | RunRow[field]
    | null
}

/** The text of a row behind that one, and what it depends on besides. */
interface Text {
  readonly before: RunRow | undefined
  readonly by: number
  readonly beforeBy: number
  readonly text: string
}

/** Most rows of a value are those of the former one, and need not be written anew. */
const texts = new WeakMap<RunRow, Text>()

/**
 * Rows of one repository as JSON of `PackedRow`s, sixty bytes for an entry that waits among others of its kind. All their holders are
 * among `holders`. A row that was packed is never changed afterwards, only replaced: its text is kept.
 */
export function packRows(rows: readonly RunRow[], holders: readonly HolderId[]): string {
  const places = new Map(holders.map((holder, at) => [holder, at]))
  let all = ''
  let before: RunRow | undefined
  let beforeBy = -1
  for (const row of rows) {
    const by = row.holder === undefined ? -1 : (places.get(row.holder) as number)
    let known = texts.get(row)
    if (known === undefined || known.before !== before || known.by !== by || known.beforeBy !== beforeBy) {
      known = { before, by, beforeBy, text: textOf(row, by, before, beforeBy) }
      texts.set(row, known)
    }
    all += all === '' ? known.text : `,${known.text}`
    before = row
    beforeBy = by
  }
  return `[${all}]`
}

function textOf(row: RunRow, by: number, before: RunRow | undefined, beforeBy: number): string {
  const base = before ?? blankRun
  let text = `{"run":${JSON.stringify(row.run)}`
  for (const field of FIELDS) {
    const value = row[field]
    if (value !== base[field])
      text += shorter(field, value, base[field]) ?? `,"${field}":${JSON.stringify(value ?? null)}`
  }
  if (by !== beforeBy) text += `,"by":${by < 0 ? null : by}`
  if (row.sequence !== base.sequence + 1) text += `,"sequence":${row.sequence}`
  return `${text}}`
}

/** What callers and times have in common is written once. */
function shorter(field: Field, value: unknown, before: unknown): string | undefined {
  if (field === 'ticket') {
    const [ticket, other] = [value as string, before as string]
    const isSameCaller =
      ticket.length === other.length && ticket.slice(0, -CALL_LETTERS) === other.slice(0, -CALL_LETTERS)
    return isSameCaller ? `,"call":${JSON.stringify(ticket.slice(-CALL_LETTERS))}` : undefined
  }
  if (field !== 'queuedAt' || value === undefined || before === undefined) return undefined
  const later = (value as number) - (before as number)
  // Of fractions the sum may be another one.
  return (before as number) + later === value ? `,"later":${later}` : undefined
}

/** The rows that were packed, with the same holders. */
export function unpackRows(
  packed: readonly PackedRow[],
  repository: RepositoryKey,
  holders: readonly HolderId[],
): readonly RunRow[] {
  let before: Omit<RunRow, 'repository' | 'run'> = blankRun
  return packed.map(({ by, call, later, ...fields }) => {
    const row = { ...before, sequence: before.sequence + 1, ...fields, repository } as RunRow
    if (call !== undefined) row.ticket = before.ticket.slice(0, -CALL_LETTERS) + call
    if (later !== undefined) row.queuedAt = (before.queuedAt as number) + later
    for (const field of FIELDS) if (row[field] === null) Object.assign(row, { [field]: undefined })
    if (by !== undefined) row.holder = by === null ? undefined : holders[by]
    before = row
    return row
  })
}

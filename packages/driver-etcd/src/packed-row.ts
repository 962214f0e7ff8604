import type { HolderId, RepositoryKey, RunKey, RunRow } from '@slotkeeper/core/driver'
import { withoutBlank } from './without-blank.ts'

/** A row of which nothing is said. */
const BLANK: Omit<RunRow, 'repository' | 'run'> = Object.freeze({
  phase: 'waiting',
  runUid: undefined,
  ticket: '',
  grantedTo: undefined,
  durable: false,
  holder: undefined,
  priority: 0,
  sequence: 0,
  token: 0,
  number: 0,
  meta: undefined,
  dueAt: undefined,
  holdUntil: undefined,
  maxHoldMs: 0,
  claimTimeoutMs: 0,
  leaseTtlMs: 0,
  parks: 0,
  state: undefined,
  queuedAt: undefined,
  acquiredAt: undefined,
  startedAt: undefined,
  endedAt: undefined,
  ending: undefined,
  endedBy: undefined,
  successor: undefined,
})

/** What is not simply written where it is different. */
const OTHERS: readonly string[] = ['holder', 'sequence']
type Field = Exclude<keyof typeof BLANK, 'holder' | 'sequence'>
const FIELDS = Object.keys(BLANK).filter((field) => !OTHERS.includes(field)) as readonly Field[]
/** The tickets of one caller have so many last letters of their own. */
const CALL_LETTERS = 8

/**
 * A row as a document holds it: what is different from the row before it, of the first one from a blank row; `null` for what that row has and
 * this one has not. Its sequence is left out where it is the next one.
 */
export type PackedRow = { readonly run: RunKey; readonly sequence?: number } & {
  /** The holder's place among those of the document. */
  readonly by?: number | null
  /** The last letters of a ticket of the same caller. */
  readonly call?: string
  /** It was queued so much later. */
  readonly later?: number
} & { readonly [field in Field]?: RunRow[field] | null }

/** The text of a row behind that one, and what it depends on besides. */
interface Text {
  readonly before: RunRow | undefined
  readonly by: number
  readonly beforeBy: number
  readonly text: string
}

/** Rows are never changed, only replaced, and most of a document's are those of the former one. */
const texts = new WeakMap<RunRow, Text>()

/** The rows as JSON of `PackedRow`s. */
export function packedText(rows: readonly RunRow[], holders: readonly HolderId[]): string {
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
  const base = before ?? BLANK
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

/** A row by itself, for a key of its own. */
export function rowText(row: RunRow): string {
  return JSON.stringify(withoutBlank<RunRow>(row, BLANK))
}

/** The row that such a text was made of. */
export function rowOf(fields: Partial<RunRow>): RunRow {
  return { ...BLANK, ...fields } as RunRow
}

/** The rows that were packed. */
export function unpackRows(
  packed: readonly PackedRow[],
  repository: RepositoryKey,
  holders: readonly HolderId[],
): readonly RunRow[] {
  let before: Omit<RunRow, 'repository' | 'run'> = BLANK
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

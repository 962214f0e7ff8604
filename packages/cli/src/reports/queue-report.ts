import type { QueueEntry } from '@slotkeeper/core'

/** One waiting run, as JSON. Times are in ISO 8601. */
export interface QueueReport {
  /** From 1 = next. `null` while it is passed over. */
  readonly place: number | null
  readonly run: string
  readonly priority: number
  readonly holder: string | null
  readonly durable: boolean
  readonly since: string
  readonly parkedUntil: string | null
  readonly meta: Readonly<Record<string, string>>
}

/** The head of a queue for JSON, each run with its place. */
export function queueReports(queue: readonly QueueEntry[]): readonly QueueReport[] {
  let place = 0
  return queue.map((entry) => ({
    place: entry.parkedUntil === undefined ? ++place : null,
    run: entry.run,
    priority: entry.priority,
    holder: entry.holder ?? null,
    durable: entry.durable,
    since: entry.enqueuedAt.toISOString(),
    parkedUntil: entry.parkedUntil?.toISOString() ?? null,
    meta: { ...entry.meta },
  }))
}

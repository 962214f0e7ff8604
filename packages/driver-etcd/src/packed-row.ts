import type { HolderId, RepositoryKey, RunRow } from '@slotkeeper/core/driver'

/** A row as a document holds it: without its repository, with its holder by number, and without what is 0 or false. */
export type PackedRow = Pick<RunRow, 'run' | 'phase' | 'ticket'> & {
  /** The holder's place among those of the document. */
  readonly by?: number | undefined
} & { readonly [field in Exclude<keyof RunRow, 'repository' | 'holder'>]?: RunRow[field] | undefined }

/** The row in as few words as can be. */
export function packRow(row: RunRow, holders: readonly HolderId[]): PackedRow {
  return {
    run: row.run,
    phase: row.phase,
    runUid: row.runUid,
    ticket: row.ticket,
    grantedTo: row.grantedTo,
    durable: row.durable || undefined,
    by: row.holder === undefined ? undefined : holders.indexOf(row.holder),
    priority: row.priority || undefined,
    sequence: row.sequence,
    token: row.token || undefined,
    number: row.number || undefined,
    meta: row.meta,
    dueAt: row.dueAt,
    holdUntil: row.holdUntil,
    maxHoldMs: row.maxHoldMs || undefined,
    claimTimeoutMs: row.claimTimeoutMs || undefined,
    leaseTtlMs: row.leaseTtlMs || undefined,
    parks: row.parks || undefined,
    state: row.state,
    queuedAt: row.queuedAt,
    acquiredAt: row.acquiredAt,
    startedAt: row.startedAt,
    endedAt: row.endedAt,
    ending: row.ending,
    endedBy: row.endedBy,
    successor: row.successor,
  }
}

/** The row that was packed. */
export function unpackRow(
  packed: PackedRow,
  repository: RepositoryKey,
  holders: readonly HolderId[],
): RunRow {
  return {
    repository,
    run: packed.run,
    phase: packed.phase,
    runUid: packed.runUid,
    ticket: packed.ticket,
    grantedTo: packed.grantedTo,
    durable: packed.durable ?? false,
    holder: packed.by === undefined ? undefined : holders[packed.by],
    priority: packed.priority ?? 0,
    sequence: packed.sequence ?? 0,
    token: packed.token ?? 0,
    number: packed.number ?? 0,
    meta: packed.meta,
    dueAt: packed.dueAt,
    holdUntil: packed.holdUntil,
    maxHoldMs: packed.maxHoldMs ?? 0,
    claimTimeoutMs: packed.claimTimeoutMs ?? 0,
    leaseTtlMs: packed.leaseTtlMs ?? 0,
    parks: packed.parks ?? 0,
    state: packed.state,
    queuedAt: packed.queuedAt,
    acquiredAt: packed.acquiredAt,
    startedAt: packed.startedAt,
    endedAt: packed.endedAt,
    ending: packed.ending,
    endedBy: packed.endedBy,
    successor: packed.successor,
  }
}

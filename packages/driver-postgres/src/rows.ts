import type {
  HolderId,
  HolderRow,
  LimitProposal,
  Phase,
  RepositoryKey,
  RepositoryRow,
  RunKey,
  RunRow,
} from '@slotkeeper/core/driver'

/** A row of a table, as JSON from the server or for it. */
export type JsonRow = Readonly<Record<string, unknown>>

/** The columns of `concurrency_slots`, in any order. */
export const RUN_COLUMNS = [
  'repository_key',
  'pipeline_run_key',
  'phase',
  'state',
  'holder',
  'priority',
  'sequence',
  'due_at',
  'token',
  'number',
  'run_uid',
  'ticket',
  'granted_to',
  'durable',
  'meta',
  'hold_until',
  'max_hold_ms',
  'claim_timeout_ms',
  'lease_ttl_ms',
  'parks',
  'queued_at',
  'acquired_at',
  'started_at',
  'ended_at',
  'ending',
  'ended_by',
  'successor',
] as const

/** The columns of `repository_states` that a decision writes. */
export const REPOSITORY_COLUMNS = [
  'repository_key',
  'domain',
  'status',
  'state',
  'local_limit',
  'global_limit',
  'removed_uids',
  'last_token',
  'last_sequence',
  'live',
  'reserved',
  'orphaned',
  'waiting',
  'parked',
  'numbers',
  'due_at',
  'committed_at',
  'quiet_until',
] as const

/** The run that a row of `concurrency_slots` stands for. */
export function runOf(json: JsonRow): RunRow {
  const text = (name: (typeof RUN_COLUMNS)[number]) => (json[name] ?? undefined) as string | undefined
  const number = (name: (typeof RUN_COLUMNS)[number]) => (json[name] ?? undefined) as number | undefined
  const meta = text('meta')
  return {
    repository: json.repository_key as RepositoryKey,
    run: json.pipeline_run_key as RunKey,
    phase: json.phase as Phase,
    runUid: text('run_uid'),
    ticket: json.ticket as string,
    grantedTo: text('granted_to'),
    durable: json.durable as boolean,
    holder: text('holder') as HolderId | undefined,
    priority: json.priority as number,
    sequence: json.sequence as number,
    token: json.token as number,
    number: json.number as number,
    meta: meta === undefined ? undefined : JSON.parse(meta),
    dueAt: number('due_at'),
    holdUntil: number('hold_until'),
    maxHoldMs: json.max_hold_ms as number,
    claimTimeoutMs: json.claim_timeout_ms as number,
    leaseTtlMs: json.lease_ttl_ms as number,
    parks: json.parks as number,
    state: text('state') as RunRow['state'],
    queuedAt: number('queued_at'),
    acquiredAt: number('acquired_at'),
    startedAt: number('started_at'),
    endedAt: number('ended_at'),
    ending: text('ending') as RunRow['ending'],
    endedBy: text('ended_by'),
    successor: text('successor') as RunKey | undefined,
  }
}

/** The row of `concurrency_slots` that stands for a run, all columns of `RUN_COLUMNS`. */
export function runJson(row: RunRow): JsonRow {
  return {
    repository_key: row.repository,
    pipeline_run_key: row.run,
    phase: row.phase,
    state: row.state,
    holder: row.holder,
    priority: row.priority,
    sequence: row.sequence,
    due_at: row.dueAt,
    token: row.token,
    number: row.number,
    run_uid: row.runUid,
    ticket: row.ticket,
    granted_to: row.grantedTo,
    durable: row.durable,
    // Text within the text: PostgreSQL's own JSON keeps neither every character nor the order of names.
    meta: row.meta === undefined ? undefined : JSON.stringify(row.meta),
    hold_until: row.holdUntil,
    max_hold_ms: row.maxHoldMs,
    claim_timeout_ms: row.claimTimeoutMs,
    lease_ttl_ms: row.leaseTtlMs,
    parks: row.parks,
    queued_at: row.queuedAt,
    acquired_at: row.acquiredAt,
    started_at: row.startedAt,
    ended_at: row.endedAt,
    ending: row.ending,
    ended_by: row.endedBy,
    successor: row.successor,
  }
}

/** The repository that a row of `repository_states` stands for. */
export function repositoryOf(json: JsonRow): RepositoryRow {
  return {
    repository: json.repository_key as RepositoryKey,
    domain: json.domain as string,
    status: json.status as RepositoryRow['status'],
    state: json.state as RepositoryRow['state'],
    local: proposalOf(json.local_limit),
    global: proposalOf(json.global_limit),
    removedUids: JSON.parse(json.removed_uids as string),
    lastToken: json.last_token as number,
    lastSequence: json.last_sequence as number,
    live: json.live as number,
    reserved: json.reserved as number,
    orphaned: json.orphaned as number,
    waiting: json.waiting as number,
    parked: json.parked as number,
    numbers: json.numbers as number[],
    dueAt: (json.due_at ?? undefined) as number | undefined,
  }
}

/**
 * The row of `repository_states` that stands for a repository, as of a commit at that store time. It is quiet if nobody watches it and
 * nothing is left over, until the first of its runs is due.
 */
export function repositoryJson(row: RepositoryRow, committedAt: number, isQuiet: boolean): JsonRow {
  return {
    repository_key: row.repository,
    domain: row.domain,
    status: row.status,
    state: row.state,
    local_limit: row.local === undefined ? undefined : JSON.stringify(row.local),
    global_limit: row.global === undefined ? undefined : JSON.stringify(row.global),
    removed_uids: JSON.stringify(row.removedUids),
    last_token: row.lastToken,
    last_sequence: row.lastSequence,
    live: row.live,
    reserved: row.reserved,
    orphaned: row.orphaned,
    waiting: row.waiting,
    parked: row.parked,
    numbers: row.numbers,
    due_at: row.dueAt,
    committed_at: committedAt,
    quiet_until: isQuiet ? 'Infinity' : 0,
  }
}

/** The holder that a row of `holders` stands for. */
export function holderOf(json: JsonRow): HolderRow {
  return {
    holder: json.holder as HolderId,
    expiresAt: json.expires_at as number,
    dead: json.dead as boolean,
    epoch: json.epoch as number,
  }
}

/** What a column that holds a proposal says. */
export function proposalOf(json: unknown): LimitProposal | undefined {
  return typeof json === 'string' ? JSON.parse(json) : undefined
}

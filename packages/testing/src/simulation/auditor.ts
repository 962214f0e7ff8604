import {
  type Changes,
  type Command,
  type DomainBatch,
  type Facts,
  isFinal,
  isSlot,
  limitOf,
  numbersOf,
  type RepositoryKey,
  type RepositoryRow,
  type RunKey,
  type RunRow,
  type RunState,
} from '@slotkeeper/core/driver'
import type { FakeStore } from './fake-store.ts'
import type { RuleNumber } from './violation.ts'

/** A domain before a commit. Rows in the store are replaced, never changed, so that these stay what they were. */
export interface Before {
  readonly key: RepositoryKey
  readonly repository: RepositoryRow | undefined
  readonly rows: ReadonlyMap<RunKey, RunRow>
}

/** Why a run left its place or its slot. */
export type Cause =
  | 'released'
  | 'finished'
  | 'withdrawn'
  | 'requeued'
  | 'removed'
  | 'replaced'
  | 'holder-dead'
  | 'due'

/** Told of what commits did. */
export interface AuditHost {
  broken(rule: RuleNumber, message: string): void
  /** A row got a token. */
  granted(row: RunRow, limit: number): void
  /** The slot of this row is somebody's no more. */
  freed(row: RunRow, cause: Cause): void
  /** A durable slot lost its keeper; it is still counted. */
  orphaned(row: RunRow): void
}

/** Looks at the rows of a domain after every commit, and compares them with those before. It knows rules, not how decisions are made. */
export class Auditor {
  readonly #host: AuditHost
  readonly #lastTokens = new Map<RepositoryKey, number>()
  /** The highest limit that the present commit may have granted under; 0 = none. */
  #most = 0

  constructor(host: AuditHost) {
    this.#host = host
  }

  before(store: FakeStore, key: RepositoryKey, _changes: Changes): Before {
    return { key, repository: store.repositories.get(key), rows: new Map(store.runs.get(key)) }
  }

  after(store: FakeStore, before: Before, batch: DomainBatch, facts: Facts, changes: Changes): void {
    const repository = store.repositories.get(before.key)
    this.#recount(before.key, repository, [...store.rowsOf(before.key)])
    const granted: RunRow[] = []
    const tokens: RunRow[] = []
    for (const { row } of [...changes.runs, ...changes.droppedRuns]) {
      // What a removed repository left is another life of it.
      const left = before.rows.get(row.run)
      const was = left?.phase === 'record' && before.repository?.status !== 'present' ? undefined : left
      const is = store.row(row.repository, row.run)
      if (
        is !== undefined &&
        isSlot(is.phase) &&
        (was === undefined || !isSlot(was.phase) || was.token !== is.token)
      ) {
        tokens.push(is)
        if (!isAdoption(was, is)) granted.push(is)
      }
      if (was !== undefined) this.#moved(store, before, batch, facts, was, is)
      if (is !== undefined) this.#states(was, is)
    }
    this.#tokens(before.key, tokens)
    if (repository === undefined) return
    this.#most = mostOf(before, repository, batch)
    this.#limits(before, repository, granted)
    this.#states14(before, repository, batch, granted, changes)
    this.#order(store, before, repository, batch, facts, granted)
    // Who adopts takes what is counted already, whatever the limit is by now.
    for (const row of tokens) this.#host.granted(row, granted.includes(row) ? this.#most : 0)
  }

  /** Rule 13. What is counted is what the rows are. */
  #recount(key: RepositoryKey, repository: RepositoryRow | undefined, rows: readonly RunRow[]): void {
    if (repository === undefined) {
      if (rows.length > 0) this.#host.broken(13, `${key} is gone and has ${rows.length} rows`)
      return
    }
    let reserved = 0
    let orphaned = 0
    let running = 0
    let waiting = 0
    let parked = 0
    const numbers: number[] = []
    for (const row of rows) {
      if (row.phase === 'reserved') reserved++
      else if (row.phase === 'orphaned') orphaned++
      else if (row.phase === 'running') running++
      else if (row.phase === 'waiting') {
        waiting++
        if (row.dueAt !== undefined) parked++
      }
      if (isSlot(row.phase) && row.number > 0) numbers.push(row.number)
      const owned = row.phase === 'running' || (row.phase === 'waiting' && !row.durable)
      if (owned !== (row.holder !== undefined))
        this.#host.broken(13, `${row.run} in phase ${row.phase} has the holder ${row.holder}`)
      if (!row.durable && (row.phase === 'reserved' || row.phase === 'orphaned'))
        this.#host.broken(13, `${row.run} of a worker is ${row.phase}`)
      if (row.token > repository.lastToken || row.sequence > repository.lastSequence)
        this.#host.broken(13, `${row.run} is ahead of the counters of ${key}`)
    }
    const live = reserved + orphaned + running
    const told = [
      repository.live,
      repository.reserved,
      repository.orphaned,
      repository.waiting,
      repository.parked,
    ]
    const counted = [live, reserved, orphaned, waiting, parked]
    if (told.join() !== counted.join())
      this.#host.broken(
        13,
        `${key} tells ${told.join()} (live, reserved, orphaned, waiting, parked) and has ${counted.join()}`,
      )
    if (repository.numbers.join() !== numbersOf(numbers).join() || new Set(numbers).size !== numbers.length)
      this.#host.broken(
        13,
        `${key} has given the numbers ${numbers.join()} and tells ${repository.numbers.join()}`,
      )
  }

  /** Rule 2. */
  #tokens(key: RepositoryKey, rows: readonly RunRow[]): void {
    const last = this.#lastTokens.get(key) ?? 0
    let highest = last
    const seen = new Set<number>()
    for (const { token, run } of rows) {
      if (token <= last) this.#host.broken(2, `${run} got token ${token} after ${last}`)
      if (seen.has(token)) this.#host.broken(2, `${run} got token ${token}, as another in the same commit`)
      if (!Number.isSafeInteger(token))
        this.#host.broken(2, `${run} got token ${token}, which is no whole number`)
      seen.add(token)
      highest = Math.max(highest, token)
    }
    this.#lastTokens.set(key, highest)
  }

  /** Rule 1. */
  #limits(before: Before, repository: RepositoryRow, granted: readonly RunRow[]): void {
    const { repository: was } = before
    if (
      was?.local?.generation !== undefined &&
      was.status === 'present' &&
      repository.status === 'present' &&
      was.local.uid === repository.local?.uid &&
      (repository.local?.generation ?? -1) < was.local.generation
    )
      this.#host.broken(
        1,
        `${before.key} took the limit of generation ${repository.local?.generation} after ${was.local.generation}`,
      )
    if (granted.length === 0) return
    const most = this.#most
    if (most === 0) return
    if (repository.live > most)
      this.#host.broken(
        1,
        `${before.key} has ${repository.live} live slots after a grant; its limit is ${most}`,
      )
    for (const row of granted)
      if (row.number < 1 || row.number > most)
        this.#host.broken(1, `${row.run} got the slot number ${row.number} under the limit ${most}`)
  }

  /** Rule 14. */
  #states14(
    before: Before,
    repository: RepositoryRow,
    batch: DomainBatch,
    granted: readonly RunRow[],
    changes: Changes,
  ): void {
    const { state } = repository
    if (state === 'active' || before.repository?.state !== state || before.repository.status !== 'present')
      return
    if (batch.commands.some((command) => command.kind === 'repository-state')) return
    for (const row of granted) this.#host.broken(14, `${row.run} was granted while ${before.key} is ${state}`)
    if (state !== 'draining') return
    for (const { row } of changes.runs) {
      const was = before.rows.get(row.run)
      if (row.phase === 'waiting' && (was === undefined || was.phase === 'record'))
        this.#host.broken(14, `${row.run} was enqueued while ${before.key} is draining`)
    }
  }

  /** Rules 3 and 7: who goes first, and that nobody waits while there is room. */
  #order(
    store: FakeStore,
    before: Before,
    repository: RepositoryRow,
    batch: DomainBatch,
    facts: Facts,
    granted: readonly RunRow[],
  ): void {
    const eligible: RunRow[] = []
    for (const row of store.rowsOf(before.key)) if (isEligible(store, row, facts.now)) eligible.push(row)
    if (eligible.length === 0) return
    for (const row of granted) {
      const tried = batch.commands.some(
        (command) => command.kind === 'acquire' && command.mode === 'try' && command.ticket === row.ticket,
      )
      for (const other of eligible) {
        const was = before.rows.get(other.run)
        const waited =
          was !== undefined && was.sequence === other.sequence && isEligible(store, was, facts.now)
        if (tried ? waited : goesBefore(other, row))
          this.#host.broken(3, `${row.run} was granted before ${other.run}, which goes first`)
      }
    }
    const limit = limitOf(repository)
    const room = limit === 0 || repository.live < limit
    if (
      room &&
      repository.status === 'present' &&
      repository.state === 'active' &&
      !store.guardOf(before.key).backlog
    )
      this.#host.broken(
        7,
        `${eligible[0]?.run} waits in ${before.key}, which has room, and no backlog is marked`,
      )
  }

  /** Rules 5 and 8: nobody leaves the queue or a slot without somebody's deed. */
  #moved(
    store: FakeStore,
    before: Before,
    batch: DomainBatch,
    facts: Facts,
    was: RunRow,
    is: RunRow | undefined,
  ): void {
    if (was.phase === 'record') return
    const same = is !== undefined && is.sequence === was.sequence
    const held = isSlot(was.phase)
    if (same && held && isSlot(is.phase) && is.token === was.token) {
      if (is.phase === 'orphaned' && was.phase === 'running') this.#host.orphaned(was)
      return
    }
    if (same && isAdoption(was, is)) return
    if (same && !held && is.phase !== 'record') return
    const cause = causeOf(store, before, batch, facts, was, is)
    if (cause === undefined)
      return this.#host.broken(
        5,
        `${was.run} was ${was.phase} and is ${is?.phase ?? 'gone'}: nobody asked for it`,
      )
    if (cause === 'holder-dead' && was.durable)
      this.#host.broken(8, `the durable slot of ${was.run} ended with its holder`)
    if (
      is?.phase === 'waiting' &&
      (cause === 'requeued' || cause === 'due') &&
      is.sequence !== was.sequence &&
      is.ticket === was.ticket
    )
      this.#host.broken(3, `${was.run} went back into the queue at another place`)
    if (held) this.#host.freed(was, cause)
  }

  /** Rule 6. */
  #states(was: RunRow | undefined, is: RunRow): void {
    if (was === undefined || was.sequence !== is.sequence) return
    const back = rank(is.state) < rank(was.state) || (isFinal(was.state) && is.state !== was.state)
    if (!back) return
    // It never ran: its attempt is over and may be asked for again.
    if (was.phase === 'waiting' && is.phase === 'record' && is.state === undefined) return
    const givenBack =
      isSlot(was.phase) && is.state === 'queued' && (is.phase === 'waiting' || isSlot(is.phase))
    // What died with its holder goes on when its caller, who never heard of it, asks again.
    const resumed =
      was.phase === 'record' &&
      was.ending === 'expired' &&
      was.endedBy === undefined &&
      (was.state === 'expired' || !isFinal(was.state))
    if (is.ending === 'withdrawn' || (givenBack && !isFinal(was.state)) || resumed) return
    this.#host.broken(6, `${is.run} went from ${was.state} to ${is.state}`)
  }
}

/** Of the limits before, after, and those that the commands told on the way. */
function mostOf({ repository: was }: Before, repository: RepositoryRow, batch: DomainBatch): number {
  const limits = [limitOf(repository), ...(was === undefined ? [] : [limitOf(was)])]
  for (const command of batch.commands)
    if ('proposal' in command && command.outcome !== undefined && command.proposal.limit !== null)
      limits.push(command.proposal.limit)
  return limits.includes(0) ? 0 : Math.max(...limits)
}

/** The order of a queue, said here once more so that nobody can break both. */
function goesBefore(a: RunRow, b: RunRow): boolean {
  return a.priority !== b.priority ? a.priority > b.priority : a.sequence < b.sequence
}

function isEligible(store: FakeStore, row: RunRow, now: number): boolean {
  return (
    row.phase === 'waiting' &&
    row.dueAt === undefined &&
    (row.holder === undefined || store.isLive(row.holder, now))
  )
}

/** An orphan was taken over, and may be an orphan again since whoever took it over never heard of it. */
function isAdoption(was: RunRow | undefined, is: RunRow): boolean {
  return (
    was?.phase === 'orphaned' &&
    (is.phase === 'running' || is.phase === 'orphaned') &&
    was.sequence === is.sequence
  )
}

function rank(state: RunState | undefined): number {
  if (state === undefined) return 0
  return state === 'queued' ? 1 : state === 'started' ? 2 : 3
}

function causeOf(
  store: FakeStore,
  before: Before,
  batch: DomainBatch,
  facts: Facts,
  was: RunRow,
  is: RunRow | undefined,
): Cause | undefined {
  const held = isSlot(was.phase)
  const due = held && was.dueAt !== undefined && was.dueAt <= facts.now
  const dead = was.holder !== undefined && !store.isLive(was.holder, facts.now)
  if (is?.ending === 'expired' || (is?.phase === 'waiting' && due))
    return due ? 'due' : dead ? 'holder-dead' : undefined
  const deed = batch.commands.find((command) => command.outcome !== undefined && ends(command, was))
  if (deed !== undefined) return DEEDS[deed.kind]
  if (before.repository?.status === 'removing' || is === undefined)
    return before.repository?.status === 'removing' ? 'removed' : undefined
  return due ? 'due' : dead ? 'holder-dead' : undefined
}

const DEEDS: { readonly [K in Command['kind']]?: Cause } = {
  release: 'released',
  finish: 'finished',
  withdraw: 'withdrawn',
  requeue: 'requeued',
  remove: 'removed',
  'remove-repository': 'removed',
  acquire: 'replaced',
}

function ends(command: Command, row: RunRow): boolean {
  if (command.repository !== row.repository || !('run' in command) || command.run !== row.run) return false
  const held = isSlot(row.phase)
  switch (command.kind) {
    case 'release':
    case 'requeue':
      return held && command.token === row.token
    case 'finish':
      return true
    case 'withdraw':
      // It may have been claimed in the same commit.
      return command.outcome?.kind === 'withdrawn'
    case 'remove':
      return !held
    case 'acquire':
      return (
        !held && command.runUid !== undefined && row.runUid !== undefined && command.runUid !== row.runUid
      )
    default:
      return false
  }
}

import type {
  AcquireCommand,
  Facts,
  HolderId,
  LimitProposal,
  ReleaseCommand,
  RepositoryRow,
  RepositoryState,
  RunRow,
  RunState,
} from '@slotkeeper/core/driver'
import type { Row } from './flight.ts'
import { proposalOf } from './rows.ts'
import { GIVEN, TAKEN } from './statements/at-once.ts'

/** What the server found, and what it made of it. */
export interface Found {
  readonly facts: Facts
  readonly did: {
    /** Slot numbers in use now. */
    readonly numbers: readonly number[]
    /** Of the slot that was taken; 0 where one was given back. */
    readonly token: number
    readonly number: number
  }
}

const IN_TAKEN = placesOf(TAKEN)
const IN_GIVEN = placesOf(GIVEN)
const NO_GUARD = Object.freeze({ watchedUntil: 0, backlog: false })
const NONE: readonly never[] = Object.freeze([])

/** The facts of a domain in which a slot was taken, from what the server answered. What it demands to be so is not answered. */
export function factsOfTaken(row: Row, command: AcquireCommand, by: HolderId): Found {
  const expiresAt = Number(row[IN_TAKEN.expires_at])
  const holder = { holder: by, expiresAt, dead: false, epoch: Number(row[IN_TAKEN.epoch]) }
  const repository = repositoryOf(row, command.repository, 'active', command.proposal)
  const { lastToken: token, numbers } = repository
  const number = Number(row[IN_TAKEN.number])
  // As it was before.
  repository.live--
  repository.lastSequence--
  repository.lastToken = token - 1
  repository.numbers = numbers.with(0, (numbers[0] as number) & ~bitOf(number))
  return {
    facts: { ...factsOf(row, repository, token - 1), runs: NONE, holders: [holder] },
    did: { numbers, token, number },
  }
}

/** The facts of a domain in which a slot was given back. */
export function factsOfGiven(row: Row, command: ReleaseCommand, by: HolderId): Found {
  const state = row[IN_GIVEN.repository_state] as RepositoryState
  const repository = repositoryOf(row, command.repository, state, proposalOf(row[IN_GIVEN.local_limit]))
  const { numbers } = repository
  const slot = slotOf(row, command, by)
  repository.live++
  repository.numbers = numbers.with(0, (numbers[0] as number) | bitOf(slot.number))
  return {
    facts: { ...factsOf(row, repository, Number(row[IN_GIVEN.floor])), runs: [slot], holders: NONE },
    did: { numbers, token: 0, number: 0 },
  }
}

function factsOf(row: Row, repository: RepositoryRow, tokenFloor: number): Omit<Facts, 'runs' | 'holders'> {
  return {
    domain: repository.domain,
    now: Number(row[IN_TAKEN.now]),
    wall: Number(row[IN_TAKEN.wall]),
    tokenFloor,
    guard: NO_GUARD,
    repositories: [repository],
    ...{ overdue: NONE, overdueCut: false, heads: NONE, headsCut: false },
  }
}

/** The repository as it is now. */
function repositoryOf(
  row: Row,
  repository: RepositoryRow['repository'],
  state: RepositoryState,
  local: LimitProposal | undefined,
): RepositoryRow {
  const waiting = Number(row[IN_TAKEN.waiting])
  return {
    ...{ repository, domain: repository, status: 'present', state, local },
    global: proposalOf(row[IN_TAKEN.global_limit]),
    removedUids: JSON.parse(row[IN_TAKEN.removed_uids] as string),
    lastToken: Number(row[IN_TAKEN.last_token]),
    lastSequence: Number(row[IN_TAKEN.last_sequence]),
    live: Number(row[IN_TAKEN.live]),
    reserved: Number(row[IN_TAKEN.reserved]),
    orphaned: Number(row[IN_TAKEN.orphaned]),
    waiting,
    parked: waiting,
    numbers: numbersOf(row[IN_TAKEN.numbers] as string),
    dueAt: undefined,
  }
}

function slotOf(row: Row, { repository, run, token }: ReleaseCommand, by: HolderId): RunRow {
  const text = (at: number) => row[at] ?? undefined
  const number = (at: number) => (row[at] === null ? undefined : Number(row[at]))
  const holdUntil = number(IN_GIVEN.hold_until)
  const meta = text(IN_GIVEN.meta)
  return {
    ...{ repository, run, phase: 'running', holder: by, token },
    runUid: text(IN_GIVEN.run_uid),
    ticket: row[IN_GIVEN.slot_ticket] as string,
    grantedTo: text(IN_GIVEN.granted_to),
    durable: row[IN_GIVEN.durable] === 't',
    priority: Number(row[IN_GIVEN.priority]),
    sequence: Number(row[IN_GIVEN.sequence]),
    number: Number(row[IN_GIVEN.number]),
    meta: meta === undefined ? undefined : JSON.parse(meta),
    dueAt: holdUntil,
    holdUntil,
    maxHoldMs: Number(row[IN_GIVEN.max_hold_ms]),
    claimTimeoutMs: Number(row[IN_GIVEN.claim_timeout_ms]),
    leaseTtlMs: Number(row[IN_GIVEN.lease_ttl_ms]),
    parks: Number(row[IN_GIVEN.parks]),
    state: text(IN_GIVEN.state) as RunState | undefined,
    queuedAt: number(IN_GIVEN.queued_at),
    acquiredAt: number(IN_GIVEN.acquired_at),
    startedAt: number(IN_GIVEN.started_at),
    endedAt: undefined,
    ...{ ending: undefined, endedBy: undefined, successor: undefined },
  }
}

function numbersOf(text: string): number[] {
  return text.slice(1, -1).split(',').map(Number)
}

function bitOf(number: number): number {
  return number === 0 ? 0 : 1 << (number - 1)
}

/** Where each column is in a row. */
function placesOf<C extends string>(columns: readonly C[]): Readonly<Record<C, number>> {
  return Object.fromEntries(columns.map((column, at) => [column, at])) as Record<C, number>
}

import {
  type Decide,
  type HolderId,
  InternalError,
  RecordedSection,
  type ReleaseCommand,
  type RepositoryKey,
  type RunKey,
  type RunRow,
} from '@slotkeeper/core/driver'

const known = new WeakMap<Decide, number>()

/** How long records are kept, in ms: found out by having the policy end a made-up slot, since the policy alone knows. */
export function recordTtlOf(decide: Decide): number {
  let ttlMs = known.get(decide)
  if (ttlMs === undefined) {
    ttlMs = findOut(decide)
    known.set(decide, ttlMs)
  }
  return ttlMs
}

function findOut(decide: Decide): number {
  const repository: RepositoryKey = 'made/up'
  const run: RunKey = 'made/up'
  const holder = 'made-up' as HolderId
  const row: RunRow = {
    ...{ repository, run, holder, phase: 'running', ticket: 'made-up.1', durable: false, state: 'started' },
    ...{ runUid: undefined, grantedTo: undefined, priority: 0, sequence: 1, token: 1, number: 0, parks: 0 },
    ...{
      meta: undefined,
      dueAt: undefined,
      holdUntil: undefined,
      maxHoldMs: 0,
      claimTimeoutMs: 0,
      leaseTtlMs: 0,
    },
    ...{ queuedAt: 0, acquiredAt: 0, startedAt: 0, endedAt: undefined },
    ...{ ending: undefined, endedBy: undefined, successor: undefined },
  }
  const section = new RecordedSection(
    {
      ...{ domain: repository, now: 0, wall: 0, tokenFloor: 0, guard: { watchedUntil: 0, backlog: false } },
      repositories: [
        {
          ...{ repository, domain: repository, status: 'present', state: 'active', local: undefined },
          ...{ global: undefined, removedUids: [], lastToken: 1, lastSequence: 1, live: 1, reserved: 0 },
          ...{ orphaned: 0, waiting: 0, parked: 0, numbers: [], dueAt: undefined },
        },
      ],
      ...{ runs: [row], holders: [{ holder, expiresAt: 1, dead: false, epoch: 0 }] },
      ...{ overdue: [], overdueCut: false, heads: [], headsCut: false },
    },
    { budget: 64, by: holder },
  )
  const command: ReleaseCommand = {
    ...{ kind: 'release', repository, run, token: 1, ticket: 'made-up.2', state: 'completed' },
    ...{ force: undefined, outcome: undefined },
  }
  decide(section, [command])
  if (row.dueAt === undefined) throw new InternalError('The policy ended a slot and keeps no record of it.')
  return row.dueAt
}

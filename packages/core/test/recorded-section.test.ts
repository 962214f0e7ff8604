import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { HolderId, RepositoryKey, RunKey } from '../src/keys.ts'
import { type Facts, RecordedSection } from '../src/recorded-section.ts'
import { blankRun, type HolderRow, type RepositoryRow, type RunRow } from '../src/rows.ts'

const REPOSITORY = 'acme/api' as RepositoryKey
const CASES = Math.max(1, Math.round(Number(process.env.SLOTKEEPER_CASES ?? 4000) / 20))

test('the head is the first of the whole queue, or unknown: never one that an unseen entry goes before', () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.nat(3), fc.boolean()), { maxLength: 12 }),
      fc.integer({ min: 1, max: 5 }),
      fc.array(fc.tuple(fc.nat(11), fc.nat(4)), { maxLength: 8 }),
      (entries, page, moves) => {
        const store = entries.map(([priority, parked], i) =>
          entry(i, { priority, dueAt: parked ? 5000 : undefined }),
        )
        const eligible = store.filter((row) => row.dueAt === undefined).sort(first)
        const section = open({
          runs: store.map((row) => ({ ...row })),
          heads: eligible.slice(0, page).map((row) => ({ ...row })),
          headsCut: eligible.length > page,
        })
        const truth = new Map(store.map((row) => [row.run, { ...row }]))
        let made = store.length
        for (const [of, what] of moves) {
          const row = section.run(REPOSITORY, `acme/${of}`)
          const known = row === undefined ? undefined : truth.get(row.run)
          if (what === 4 || row === undefined || known === undefined) {
            const added = entry(made++, { priority: what })
            truth.set(added.run, { ...added })
            section.saved(added, undefined)
          } else if (row.phase === 'waiting') {
            // Granted, parked or made eligible again.
            if (what === 0) row.phase = known.phase = 'running'
            else row.dueAt = known.dueAt = what === 1 ? 5000 : undefined
            section.saved(row, 'waiting')
          } else {
            row.phase = known.phase = 'waiting'
            row.dueAt = known.dueAt = undefined
            section.saved(row, 'running')
          }
          const best = [...truth.values()]
            .filter((one) => one.phase === 'waiting' && one.dueAt === undefined)
            .sort(first)[0]
          const head = section.head(REPOSITORY)
          if (head === undefined) expect(best === undefined || section.headsCut).toBe(true)
          else expect(head.run).toBe(best?.run)
          if (eligible.length <= page) expect(head?.run).toBe(best?.run)
        }
      },
    ),
    { numRuns: CASES },
  )
})

test('a place is exact within the page, and a lower bound behind it', () => {
  fc.assert(
    fc.property(
      fc.array(fc.nat(3), { minLength: 1, maxLength: 12 }),
      fc.integer({ min: 1, max: 5 }),
      fc.nat(11),
      (priorities, page, which) => {
        const queue = priorities.map((priority, i) => entry(i, { priority })).sort(first)
        const section = open({
          runs: queue.map((row) => ({ ...row })),
          heads: queue.slice(0, page).map((row) => ({ ...row })),
          headsCut: queue.length > page,
        })
        const at = which % queue.length
        const place = section.place(section.run(REPOSITORY, (queue[at] as RunRow).run) as RunRow)
        if (at < page) expect(place).toBe(at + 1)
        else expect(place).toEqual({ atLeast: page + 1 })
      },
    ),
    { numRuns: CASES },
  )
})

test('copies of a row in several lists are one row', () => {
  const row = entry(0, {})
  const section = open({ runs: [{ ...row }], overdue: [{ ...row }], heads: [{ ...row }] })
  const named = section.run(REPOSITORY, row.run)
  expect(section.overdue()).toBe(named)
  expect(section.head(REPOSITORY)).toBe(named)
})

test('a run is found among few and among many, each of its own repository', () => {
  for (const count of [1, 8, 9, 40]) {
    const rows = Array.from({ length: count }, (_, i) => entry(i, {}))
    const section = open({ runs: rows })
    const made = entry(count, {})
    section.saved(made, undefined)
    for (const row of [...rows, made]) expect(section.run(REPOSITORY, row.run)).toBe(row)
    expect(section.run(REPOSITORY, 'acme/none' as RunKey)).toBe(undefined)
    expect(section.run('acme/other' as RepositoryKey, 'acme/0' as RunKey)).toBe(undefined)
  }
})

test('an overdue row is given out once, and not after it was dropped', () => {
  const rows = [entry(0, {}), entry(1, {})]
  const section = open({ overdue: rows })
  expect(section.overdueLeft).toBe(true)
  section.dropped(rows[1] as RunRow, 'waiting')
  expect(section.overdue()).toBe(rows[0])
  expect(section.overdue()).toBe(undefined)
  expect(section.overdueLeft).toBe(false)
})

test('what is left of the budget counts every changed row once', () => {
  const repository = row({})
  const section = open({ repositories: [repository], runs: [entry(0, {}), entry(1, {})] })
  const a = section.run(REPOSITORY, 'acme/0') as RunRow
  const b = section.run(REPOSITORY, 'acme/1') as RunRow
  for (let i = 0; i < 2; i++) {
    section.saved(a, 'waiting')
    section.savedRepository(repository)
    section.savedGuard(0, true)
    section.bury('gone' as HolderId)
    section.bump('alive' as HolderId)
  }
  section.dropped(b, 'waiting')
  section.saved(entry(2, {}), undefined)
  expect(section.left).toBe(100 - 7)
  const { runs, droppedRuns, repositories, guard, buried, bumped, empty } = section.changes()
  expect([runs.length, droppedRuns.length, repositories.length, guard, buried, bumped, empty]).toEqual([
    2,
    1,
    1,
    { watchedUntil: 0, backlog: true },
    ['gone'],
    ['alive'],
    false,
  ])
})

test('a change carries what its row was filed under, whatever became of the row since', () => {
  const section = open({ runs: [entry(0, { priority: 3, holder: 'alive' as HolderId, durable: false })] })
  const changed = section.run(REPOSITORY, 'acme/0') as RunRow
  changed.phase = 'running'
  changed.dueAt = 77
  section.saved(changed, 'waiting')
  const made = entry(9, {})
  section.saved(made, undefined)
  expect(section.changes().runs).toEqual([
    {
      row: changed,
      before: { phase: 'waiting', holder: 'alive', dueAt: undefined, priority: 3, sequence: 1 },
    },
    { row: made, before: undefined },
  ])
})

test('a run that is dropped and begun anew is one changed row; one that was made and dropped is none', () => {
  const section = open({ runs: [entry(0, {})] })
  section.dropped(section.run(REPOSITORY, 'acme/0') as RunRow, 'waiting')
  expect(section.run(REPOSITORY, 'acme/0')).toBe(undefined)
  const anew = entry(0, { sequence: 9 })
  section.saved(anew, undefined)
  const brief = entry(5, {})
  section.saved(brief, undefined)
  section.dropped(brief, 'waiting')
  const { runs, droppedRuns } = section.changes()
  expect(runs).toEqual([
    {
      row: anew,
      before: { phase: 'waiting', holder: undefined, dueAt: undefined, priority: 0, sequence: 1 },
    },
  ])
  expect(droppedRuns).toEqual([])
  expect(section.head(REPOSITORY)).toBe(anew)
})

test('a dropped repository raises the floor for its next life in the same commit', () => {
  const old = row({ lastToken: 41 })
  const section = open({ repositories: [old] })
  section.droppedRepository(old)
  expect([section.tokenFloor, section.repository(REPOSITORY)]).toEqual([41, undefined])
  expect(section.changes()).toMatchObject({
    droppedRepositories: [REPOSITORY],
    tokenFloor: 41,
    repositories: [],
  })
  const next = row({})
  section.savedRepository(next)
  expect(section.changes()).toMatchObject({ droppedRepositories: [], tokenFloor: 41, repositories: [next] })
})

test('a commit depends on the holders of its changed rows that are alive, and on no others', () => {
  const section = open({
    runs: [
      entry(0, { holder: 'alive' as HolderId }),
      entry(1, { holder: 'gone' as HolderId }),
      entry(2, { holder: 'other' as HolderId }),
    ],
  })
  section.saved(section.run(REPOSITORY, 'acme/0') as RunRow, 'waiting')
  section.saved(section.run(REPOSITORY, 'acme/1') as RunRow, 'waiting')
  expect(section.changes().alive).toEqual(['alive'])
})

test('others are notified when they watch, or when one of them gained or lost a row', () => {
  const told = (watchedUntil: number, holder: string | undefined, kind: 'granted' | 'enqueued') => {
    const section = open({ guard: { watchedUntil, backlog: false } })
    section.emit(kind, entry(0, { holder: holder as HolderId | undefined }))
    return section.changes().notify
  }
  expect(told(0, undefined, 'granted')).toBe(false)
  expect(told(0, 'me', 'granted')).toBe(false)
  expect(told(0, 'other', 'granted')).toBe(true)
  expect(told(0, 'other', 'enqueued')).toBe(false)
  expect(told(1001, undefined, 'granted')).toBe(true)
  expect(told(1000, undefined, 'granted')).toBe(false)
  expect(open({ guard: { watchedUntil: 2000, backlog: false } }).changes().notify).toBe(false)
})

test('a repository of another domain is refused', () => {
  expect(() => open({ repositories: [row({ domain: 'acme/else' })] })).toThrow(/belongs to domain acme\/else/)
})

function open(facts: Partial<Facts>): RecordedSection {
  const holders: HolderRow[] = [holder('alive', 2000), holder('other', 2000), holder('gone', 1000)]
  const none = {
    domain: REPOSITORY,
    now: 1000,
    wall: 1,
    tokenFloor: 0,
    guard: { watchedUntil: 0, backlog: false },
    repositories: [],
    runs: [],
    holders,
    overdue: [],
    overdueCut: false,
    heads: [],
    headsCut: false,
  }
  return new RecordedSection({ ...none, ...facts }, { budget: 100, by: 'me' as HolderId })
}

function holder(name: string, expiresAt: number): HolderRow {
  return { holder: name as HolderId, expiresAt, dead: false, epoch: 0 }
}

function row(more: Partial<RepositoryRow>): RepositoryRow {
  return {
    repository: REPOSITORY,
    domain: REPOSITORY,
    status: 'present',
    state: 'active',
    local: undefined,
    global: undefined,
    removedUids: [],
    lastToken: 0,
    lastSequence: 0,
    live: 0,
    reserved: 0,
    orphaned: 0,
    waiting: 0,
    parked: 0,
    numbers: [],
    dueAt: undefined,
    ...more,
  }
}

function entry(index: number, more: Partial<RunRow>): RunRow {
  return {
    ...blankRun,
    repository: REPOSITORY,
    run: `acme/${index}` as RunKey,
    ticket: `t.${index}`,
    durable: true,
    sequence: index + 1,
    claimTimeoutMs: 40,
    leaseTtlMs: 60,
    state: 'queued',
    queuedAt: 1,
    ...more,
  }
}

function first(a: RunRow, b: RunRow): number {
  return b.priority - a.priority || a.sequence - b.sequence
}

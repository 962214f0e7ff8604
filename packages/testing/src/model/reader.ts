import { setTimeout as sleep } from 'node:timers/promises'
import type {
  Driver,
  HolderId,
  Query,
  RepositoryKey,
  RunRef,
  RunRow,
  Snapshot,
} from '@slotkeeper/core/driver'
import { isAlive } from '@slotkeeper/core/driver'
import { plainRepository, plainRun } from './allowances.ts'
import { RUNS } from './callers.ts'
import { type Difference, differences } from './difference.ts'
import { Disagreement, disagreement } from './disagreement.ts'
import type { Model } from './model.ts'
import { ruleNamed } from './rule-of.ts'

/** How long a listing may be behind. */
const LATE_MS = 2_000
const ALL = 1_000

/** Reads through a driver, and compares it with what the model would read. */
export class Reader {
  readonly #model: Model
  readonly #repositories: readonly RepositoryKey[]

  constructor(model: Model, repositories: readonly RepositoryKey[]) {
    this.#model = model
    this.#repositories = repositories
  }

  /** All that can be seen of a repository: every run of it, whatever became of it, and its listing. */
  async compareDomain(driver: Driver, repository: RepositoryKey): Promise<void> {
    await this.compare(driver, { kind: 'runs', runs: RUNS.map((run) => ({ repository, run })) })
    await this.compare(driver, { kind: 'repository', repository, slots: ALL, waiting: ALL })
  }

  /** One of the reads that nothing else brings about. */
  async compareSome(driver: Driver, pick: number, holder: HolderId | undefined): Promise<void> {
    if (pick < 4) return holder === undefined ? undefined : this.compare(driver, { kind: 'holder', holder })
    if (pick < 6) return this.comparePage(driver, pick - 3, pick === 5)
    const repository = this.#repositories[pick % this.#repositories.length] as RepositoryKey
    const waiting = [...this.#model.store.rowsOf(repository)].find((row) => row.phase === 'waiting')
    return this.compare(driver, {
      kind: 'repository',
      repository,
      slots: ALL,
      waiting: pick % 3,
      run: waiting?.run ?? RUNS[pick % RUNS.length],
    })
  }

  /** Repositories by key, the first ones of this sequence or those after one of them. */
  comparePage(driver: Driver, first: number, later: boolean): Promise<void> {
    const [one, two] = this.#repositories as readonly [RepositoryKey, RepositoryKey]
    const after = later ? two : one.slice(0, one.indexOf('/') + 1)
    return this.compare(driver, { kind: 'repositories', after, first })
  }

  /** What was committed is read at once, except in listings, which may be a moment old. */
  async compare(driver: Driver, query: Query): Promise<void> {
    const listing = query.kind === 'repository' || query.kind === 'repositories'
    const deadline = performance.now() + LATE_MS
    for (;;) {
      const read = await driver.read(query)
      const found = this.#differences(query, read)
      if (found.length === 0) return
      if (!listing || performance.now() > deadline)
        throw disagreement(found, false, `Reading ${JSON.stringify(query)}:`)
      await sleep(10)
    }
  }

  #differences(query: Query, read: Snapshot): readonly Difference[] {
    const { store } = this.#model
    this.#model.tell(read.now, 'a read')
    const named = query.kind === 'repository' ? query.run : undefined
    for (const { repository, run } of runsOf(query))
      if (!read.runs.some((row) => row.repository === repository && row.run === run))
        this.#model.forget(repository, run, read.now)
    const model = store.read(query, 0)
    this.#compareHolders(read)
    const parked =
      named !== undefined && query.kind === 'repository'
        ? store.row(query.repository, named)?.dueAt !== undefined
        : false
    return [
      // Repositories of a holder's runs may be told or not.
      ...(query.kind === 'holder'
        ? []
        : differences(
            'repositories',
            read.repositories
              .filter((row) => this.#repositories.includes(row.repository))
              .map(plainRepository),
            model.repositories.map(plainRepository),
          )),
      ...differences('runs', byKey(read.runs), byKey(model.runs)),
      ...(query.kind === 'repository'
        ? differences('queue', queue(read.runs, named), queue(model.runs, named))
        : []),
      // Nobody counts the place of an entry that has none.
      ...(parked ? [] : differences('read.place', read.place as number, model.place as number)),
    ]
  }

  /** The holders of the rows, each alive or dead as in the model. */
  #compareHolders(read: Snapshot): void {
    for (const id of new Set(read.runs.flatMap(({ holder }) => holder ?? []))) {
      const shown = read.holders.find(({ holder }) => holder === id)
      const known = this.#model.store.holders.get(id)
      if (known === undefined) continue
      const lives = isAlive(shown, read.now)
      if (lives && known.dead) throw new Disagreement(ruleNamed('8'), `${id} is dead, and is read as alive.`)
      if (!lives && !known.dead && this.#model.isTooEarly(id, read.now))
        throw new Disagreement(
          ruleNamed('8'),
          `${id} is read as ${shown === undefined ? 'nobody' : 'dead'} at ${read.now}, although it lives until ${known.expiresAt}.`,
        )
    }
  }
}

/** The runs that a query names. */
function runsOf(query: Query): readonly RunRef[] {
  if (query.kind === 'runs') return query.runs
  if (query.kind !== 'repository' || query.run === undefined) return []
  return [{ repository: query.repository, run: query.run }]
}

function byKey(rows: readonly RunRow[]): { readonly [key: string]: ReturnType<typeof plainRun> } {
  return Object.fromEntries(rows.map((row) => [`${row.repository} ${row.run}`, plainRun(row)]))
}

/** The runs that wait, in the order in which they were read; one that was asked for by name may stand anywhere. */
function queue(rows: readonly RunRow[], named: string | undefined): readonly string[] {
  return rows.filter(({ phase, run }) => phase === 'waiting' && run !== named).map(({ run }) => run)
}

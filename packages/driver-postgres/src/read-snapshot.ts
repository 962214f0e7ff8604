import { type Place, type Query, queueOrder, type RunRow, type Snapshot } from '@slotkeeper/core/driver'
import { ask, type Keeping } from './holders.ts'
import { holderOf, type JsonRow, repositoryOf, runOf } from './rows.ts'

/** Places are counted up to here; further back it is only said that they are. */
const COUNTED_PLACES = 1000

interface Found {
  readonly wall: number
  readonly repositories: readonly JsonRow[] | null
  readonly runs: readonly JsonRow[] | null
  readonly holders: readonly JsonRow[] | null
  /** How many entries are before the run that was asked for. */
  readonly before?: number | null
  readonly asked?: readonly JsonRow[] | null
}

/** Answers a query from one moment of the store: each is one statement. No queue is loaded or counted whole. */
export async function readSnapshot(
  keeping: Keeping,
  query: Query,
  signal: AbortSignal | undefined,
): Promise<Snapshot> {
  const [row] = await ask(keeping, [stepOf(keeping, query)], signal)
  const found = JSON.parse(row?.[0] as string) as Found
  const runs = found.runs?.map(runOf) ?? []
  return {
    now: Math.max(found.wall, ...(found.repositories ?? []).map((one) => one.committed_at as number)),
    wall: found.wall,
    repositories: found.repositories?.map(repositoryOf) ?? [],
    runs: query.kind === 'repository' ? shown(runs, query) : runs,
    holders: found.holders?.map(holderOf) ?? [],
    place: placeOf(found),
  }
}

function stepOf({ sql }: Keeping, query: Query) {
  switch (query.kind) {
    case 'runs':
      return {
        statement: sql.readRuns,
        values: [JSON.stringify(query.runs.map(({ repository, run }) => ({ repository, run })))],
      }
    case 'holder':
      return { statement: sql.readHolder, values: [query.holder, query.only ?? null] }
    case 'repositories':
      return { statement: sql.readRepositories, values: [query.after, String(query.first)] }
    case 'repository':
      return {
        statement: sql.readRepository,
        values: [
          query.repository,
          String(query.slots),
          String(query.waiting),
          query.run ?? null,
          String(COUNTED_PLACES),
        ],
      }
  }
}

/** Slots by token, then entries in queue order, then the run that was asked for; each once. */
function shown(found: readonly RunRow[], query: Query & { kind: 'repository' }): RunRow[] {
  const rows = [...new Map(found.map((row) => [row.run, row])).values()]
  const asked = rows.find(({ run }) => run === query.run)
  const slots = rows
    .filter(({ phase }) => phase === 'running' || phase === 'reserved' || phase === 'orphaned')
    .slice(0, query.slots)
    .sort((a, b) => a.token - b.token)
  const waiting = rows
    .filter(({ phase }) => phase === 'waiting')
    .sort(queueOrder)
    .slice(0, query.waiting)
  const runs = [...slots, ...waiting]
  if (asked !== undefined && !runs.includes(asked)) runs.push(asked)
  return runs
}

function placeOf({ asked, before }: Found): Place | undefined {
  if (asked?.[0]?.phase !== 'waiting' || typeof before !== 'number') return undefined
  return before < COUNTED_PLACES ? before + 1 : { atLeast: COUNTED_PLACES + 1 }
}

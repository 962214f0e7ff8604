import { printable } from '../printable.ts'
import type { RepositoryReport } from '../reports/repository-report.ts'
import type { Paint } from './paint.ts'
import { table } from './table.ts'

/** Repositories with their limits and counts, one a line. */
export function repositoriesTable(repositories: readonly RepositoryReport[], paint: Paint): string {
  return table(
    ['REPOSITORY', 'LIMIT', 'RUNNING', 'RESERVED', 'ORPHANED', 'WAITING', 'STATE'],
    repositories.map(({ repository, limit, running, reserved, orphaned, waiting, state }) => [
      printable(repository),
      limit === 'unlimited' ? '–' : String(limit),
      String(running),
      String(reserved),
      orphaned === 0 ? '0' : paint('red', String(orphaned)),
      waiting === 0 ? '0' : paint('yellow', String(waiting)),
      state === 'active' ? paint('green', state) : paint('yellow', state),
    ]),
    paint,
  )
}

import { needRepository } from '../arguments/option-readers.ts'
import { READING_SPECS, readVerb } from '../arguments/verb-specs.ts'
import { jsonText } from '../json-text.ts'
import { findRepository } from '../operator/find-repository.ts'
import type { Output } from '../output.ts'
import { patiently } from '../patiently.ts'
import { repositoryReport } from '../reports/repository-report.ts'
import { withStore } from '../store/with-store.ts'
import { painter } from '../tables/paint.ts'
import { repositoriesTable } from '../tables/repositories-table.ts'
import { LIMIT_HELP } from './limit-help.ts'
import { setLimitVerb } from './set-limit-verb.ts'

/**
 * `slotkeeper limit`: shows a repository's limit; `slotkeeper limit set` sets it.
 * @returns the exit code 0
 * @throws ExitError, SlotkeeperError
 */
export async function limitVerb(argv: readonly string[], out: Output, err: Output): Promise<number> {
  if (argv[0] === 'set') return setLimitVerb(argv.slice(1), out, err)
  const values = readVerb('limit', argv, READING_SPECS)
  if (values === 'help') {
    out.write(LIMIT_HELP)
    return 0
  }
  const repository = needRepository(values.repository)
  return withStore(values.store, async (manager, store) => {
    const info = await patiently(err, `reading ${store}`, findRepository(manager, repository))
    const report = repositoryReport(info)
    out.write(
      values.json
        ? `${jsonText({ store, at: new Date().toISOString(), ...report }, 2)}\n`
        : repositoriesTable([report], painter(out.hasColours)),
    )
    return 0
  })
}

import { needRepository, needRun } from '../arguments/option-readers.ts'
import { READING_SPECS, readVerb } from '../arguments/verb-specs.ts'
import { EXIT } from '../exit-codes.ts'
import { jsonText } from '../json-text.ts'
import type { Output } from '../output.ts'
import { patiently } from '../patiently.ts'
import { withStore } from '../store/with-store.ts'
import { EXPLAIN_HELP } from './explain-help.ts'
import { explainReport } from './explain-report.ts'
import { explainText } from './explain-text.ts'

const SPECS = { ...READING_SPECS, run: { type: 'string' } } as const

/**
 * `slotkeeper explain`: says why a run waits, behind whom, at which place, since when. Changes nothing.
 * @returns the exit code: 0, or 66 when nothing is known of the run
 * @throws ExitError, SlotkeeperError; `SLOTKEEPER_SCHEMA_MISSING` when there is no store
 */
export async function explainVerb(argv: readonly string[], out: Output, err: Output): Promise<number> {
  const values = readVerb('explain', argv, SPECS)
  if (values === 'help') {
    out.write(EXPLAIN_HELP)
    return 0
  }
  const repository = needRepository(values.repository)
  const run = needRun(values.run)
  return withStore(values.store, async (manager, name) => {
    const explanation = await patiently(err, `reading ${name}`, manager.explain(repository, run))
    const report = explainReport(name, explanation)
    out.write(values.json ? `${jsonText(report, 2)}\n` : explainText(report, out.hasColours))
    return explanation.kind === 'unknown' ? EXIT.notThere : 0
  })
}

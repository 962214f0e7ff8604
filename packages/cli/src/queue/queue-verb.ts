import { needRepository, readFirst } from '../arguments/option-readers.ts'
import { READING_SPECS, readVerb } from '../arguments/verb-specs.ts'
import { jsonText } from '../json-text.ts'
import type { Output } from '../output.ts'
import { patiently } from '../patiently.ts'
import { withStore } from '../store/with-store.ts'
import { painter } from '../tables/paint.ts'
import { queueTable } from '../tables/queue-table.ts'
import { repositoriesTable } from '../tables/repositories-table.ts'
import { type QueueHead, readQueue } from './queue-head.ts'
import { QUEUE_HELP } from './queue-help.ts'

const SPECS = { ...READING_SPECS, first: { type: 'string' } } as const
const FIRST = 20

/**
 * `slotkeeper queue`: shows who waits, in order, and changes nothing.
 * @returns the exit code 0
 * @throws ExitError, SlotkeeperError; `SLOTKEEPER_SCHEMA_MISSING` when there is no store
 */
export async function queueVerb(argv: readonly string[], out: Output, err: Output): Promise<number> {
  const values = readVerb('queue', argv, SPECS)
  if (values === 'help') {
    out.write(QUEUE_HELP)
    return 0
  }
  const repository = needRepository(values.repository)
  const first = values.first === undefined ? FIRST : readFirst('--first', values.first)
  return withStore(values.store, async (manager, name) => {
    const head = await patiently(err, `reading ${name}`, readQueue(manager, name, repository, first))
    out.write(values.json ? `${jsonText(head, 2)}\n` : queueText(head, out.hasColours))
    return 0
  })
}

function queueText(head: QueueHead, hasColours: boolean): string {
  const paint = painter(hasColours)
  const waiting =
    head.queue.length === 0 ? 'Nobody waits.\n' : queueTable(head.queue, head.more, new Date(head.at), paint)
  return `${repositoriesTable([head], paint)}\n${waiting}`
}

import type { Logger, Manager, RepositoryKey, SlotEvent } from '@slotkeeper/core'
import { needRepository } from '../arguments/option-readers.ts'
import { READING_SPECS, readVerb } from '../arguments/verb-specs.ts'
import { jsonText } from '../json-text.ts'
import type { Output } from '../output.ts'
import { patiently } from '../patiently.ts'
import { printable } from '../printable.ts'
import { withStore } from '../store/with-store.ts'
import { untilStopped } from '../until-stopped.ts'
import { WATCH_HELP } from './watch-help.ts'

/** One line of `watch`. Fields are only ever added. */
interface WatchLine {
  /** What happened; `resync`: some events may have been missed. */
  readonly event: SlotEvent['kind']
  readonly repository: RepositoryKey
  readonly at: string
  readonly run: string | null
  readonly holder: string | null
  readonly leaseId: string | null
  readonly slotNumber: number | null
  /** The new limit or state; who changed something by hand and why. */
  readonly detail: SlotEvent['detail'] | null
}

/**
 * `slotkeeper watch`: prints what happens, until a signal, or until nobody reads any more.
 * @returns the exit code 0
 * @throws ExitError, SlotkeeperError; `SLOTKEEPER_SCHEMA_MISSING` when there is no store
 */
export async function watchVerb(argv: readonly string[], out: Output, err: Output): Promise<number> {
  const values = readVerb('watch', argv, READING_SPECS)
  if (values === 'help') {
    out.write(WATCH_HELP)
    return 0
  }
  const repository = needRepository(values.repository)
  const stopped = untilStopped()
  const options = { label: `watch-${process.pid}`, logger: complaints(err) }
  return withStore(
    values.store,
    async (manager, name) => {
      // A store that cannot be used is told now; one that goes away later is waited for.
      await patiently(err, `reading ${name}`, manager.getCurrentSlots(repository))
      await print(manager, repository, out, stopped)
      return 0
    },
    options,
  )
}

async function print(
  manager: Manager,
  repository: RepositoryKey,
  out: Output,
  signal: AbortSignal,
): Promise<void> {
  for await (const event of manager.watchSlotAvailability(repository, { signal }))
    if (!(await out.send(`${jsonText(watchLine(event))}\n`, signal))) return
}

function watchLine({ kind, repository, at, run, holder, leaseId, slotNumber, detail }: SlotEvent): WatchLine {
  return {
    event: kind,
    repository,
    at: at.toISOString(),
    run: run ?? null,
    holder: holder ?? null,
    leaseId: leaseId ?? null,
    slotNumber: slotNumber ?? null,
    detail: detail ?? null,
  }
}

/** What goes wrong while it watches is told, and tried again. */
function complaints(err: Output): Logger {
  const tell = (fields: object, message: string) => {
    const why = 'error' in fields && fields.error instanceof Error ? `: ${fields.error.message}` : ''
    err.write(`slotkeeper: ${printable(`${message}${why}`)}\n`)
  }
  const nothing = () => {}
  return { debug: nothing, info: nothing, warn: tell, error: tell }
}

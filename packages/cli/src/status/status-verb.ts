import { once } from 'node:events'
import { setTimeout as pause } from 'node:timers/promises'
import { Manager } from '@slotkeeper/core'
import type { Output } from '../output.ts'
import { openStore } from '../store/open-store.ts'
import { STATUS_HELP } from './status-help.ts'
import { readStatusOptions, type StatusOptions } from './status-options.ts'
import { readStatus, type StatusReport } from './status-report.ts'
import { statusText } from './status-text.ts'

const WATCH_MS = 1000
const CLEAR = '\x1b[H\x1b[2J\x1b[3J'

/**
 * `slotkeeper status`: shows slots and queues, and changes nothing.
 * @returns the exit code 0
 * @throws ExitError, SlotkeeperError; `SLOTKEEPER_SCHEMA_MISSING` when there is no store
 */
export async function statusVerb(argv: readonly string[], out: Output): Promise<number> {
  const options = readStatusOptions(argv)
  if (options === 'help') {
    out.write(STATUS_HELP)
    return 0
  }
  const { driver, name } = await openStore(options.store, { make: false })
  const manager = new Manager({ driver, schema: 'check' })
  try {
    if (options.watch) await watch(manager, name, options, out)
    else out.write(rendered(await readStatus(manager, name, options.repository), options, out))
  } finally {
    await manager.close()
  }
  return 0
}

/** Until Ctrl-C. On a terminal in place; else whatever is new, one after another. */
async function watch(manager: Manager, name: string, options: StatusOptions, out: Output): Promise<void> {
  const stopping = new AbortController()
  void Promise.race([once(process, 'SIGINT'), once(process, 'SIGTERM')]).then(() => stopping.abort())
  let shown = ''
  while (!stopping.signal.aborted) {
    const report = await readStatus(manager, name, options.repository)
    const news = JSON.stringify({ ...report, at: '' })
    if (out.isTerminal && !options.json) out.write(CLEAR + rendered(report, options, out))
    else if (news !== shown)
      out.write(
        options.json ? `${JSON.stringify(report)}\n` : `${report.at}\n${rendered(report, options, out)}\n`,
      )
    shown = news
    await pause(WATCH_MS, undefined, { signal: stopping.signal }).catch(() => {})
  }
}

function rendered(report: StatusReport, { json }: StatusOptions, out: Output): string {
  return json ? `${JSON.stringify(report, undefined, 2)}\n` : statusText(report, out.hasColours)
}

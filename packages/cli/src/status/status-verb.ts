import { setTimeout as pause } from 'node:timers/promises'
import type { Manager } from '@slotkeeper/core'
import { jsonText } from '../json-text.ts'
import type { Output } from '../output.ts'
import { patiently } from '../patiently.ts'
import { withStore } from '../store/with-store.ts'
import { untilStopped } from '../until-stopped.ts'
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
export async function statusVerb(argv: readonly string[], out: Output, err: Output): Promise<number> {
  const options = readStatusOptions(argv)
  if (options === 'help') {
    out.write(STATUS_HELP)
    return 0
  }
  return withStore(options.store, async (manager, name) => {
    if (options.watch) await watch(manager, name, options, out)
    else {
      const report = await patiently(err, `reading ${name}`, readStatus(manager, name, options.repository))
      out.write(rendered(report, options, out))
    }
    return 0
  })
}

/** Until Ctrl-C, or until nobody reads any more. On a terminal in place; else whatever is new, one after another. */
async function watch(manager: Manager, name: string, options: StatusOptions, out: Output): Promise<void> {
  const stopped = untilStopped()
  let shown = ''
  while (!stopped.aborted) {
    const report = await readStatus(manager, name, options.repository)
    const news = JSON.stringify({ ...report, at: '' })
    let text = ''
    if (out.isTerminal && !options.json) text = CLEAR + rendered(report, options, out)
    else if (news !== shown)
      text = options.json ? `${jsonText(report)}\n` : `${report.at}\n${rendered(report, options, out)}\n`
    if (text !== '' && !(await out.send(text, stopped))) return
    shown = news
    await pause(WATCH_MS, undefined, { signal: stopped }).catch(() => {})
  }
}

function rendered(report: StatusReport, { json }: StatusOptions, out: Output): string {
  return json ? `${jsonText(report, 2)}\n` : statusText(report, out.hasColours)
}

import { type Limit, type RepositoryInfo, repository } from '@slotkeeper/core'
import { needRepository, readLimit } from '../arguments/option-readers.ts'
import { CHANGING_SPECS, readVerb } from '../arguments/verb-specs.ts'
import { ExitError } from '../exit-error.ts'
import { jsonText } from '../json-text.ts'
import type { ChangeReport } from '../operator/change-report.ts'
import { confirm } from '../operator/confirm.ts'
import { auditOf, needReason, readOperator } from '../operator/operator.ts'
import type { Output } from '../output.ts'
import { patiently } from '../patiently.ts'
import { printable } from '../printable.ts'
import { withStore } from '../store/with-store.ts'
import { LIMIT_HELP } from './limit-help.ts'

const SPECS = { ...CHANGING_SPECS, limit: { type: 'string' } } as const

/** What `limit set --json` prints. */
interface LimitReport extends ChangeReport {
  readonly before: Limit
  readonly limit: Limit
}

/**
 * `slotkeeper limit set`: says a limit, and asks before it lowers one.
 * @returns the exit code 0
 * @throws ExitError, SlotkeeperError
 */
export async function setLimitVerb(argv: readonly string[], out: Output, err: Output): Promise<number> {
  const values = readVerb('limit', argv, SPECS)
  if (values === 'help') {
    out.write(LIMIT_HELP)
    return 0
  }
  const key = needRepository(values.repository)
  if (values.limit === undefined)
    throw new ExitError('--limit is missing. Say how many may run at once, as in: --limit 2; 0 is unlimited.')
  const wanted = readLimit('--limit', values.limit)
  const operator = readOperator(values)
  return withStore(values.store, async (manager, store) => {
    const before = await patiently(err, `reading ${store}`, manager.getCurrentSlots(key))
    if (isLower(wanted, before.limit)) {
      needReason(operator)
      await confirm(plan(wanted, before), operator, err)
    }
    const saying = manager.setRepositoryLimit(repository(key, { concurrencyLimit: wanted }), {
      audit: auditOf(operator),
    })
    const { kind, limit } = await patiently(err, `changing ${key}`, saying)
    if (kind !== 'set') throw refused(kind, key, limit)
    const report: LimitReport = {
      store,
      at: new Date().toISOString(),
      action: 'limit',
      repository: key,
      actor: operator.actor,
      reason: operator.reason ?? null,
      before: before.limit,
      limit,
    }
    const told =
      before.limit === limit
        ? `The limit of ${key} is ${limit} already.`
        : `The limit of ${key} is ${limit} (it was ${before.limit}).`
    out.write(values.json ? `${jsonText(report, 2)}\n` : `${printable(told)}\n`)
    return 0
  })
}

function isLower(wanted: number, before: Limit): boolean {
  return wanted !== 0 && (before === 'unlimited' || wanted < before)
}

function plan(wanted: number, before: RepositoryInfo): readonly string[] {
  const taken = before.running + before.reserved + before.orphaned
  const end = taken - wanted + 1
  const effect =
    end > 0
      ? `${taken} ${taken === 1 ? 'slot is' : 'slots are'} taken now: nobody is ended, and nothing new is granted until ${end} of them ${end === 1 ? 'has' : 'have'} ended.`
      : `${taken} ${taken === 1 ? 'slot is' : 'slots are'} taken now, so nobody has to wait for this.`
  return [`This will lower the limit of ${before.repository} from ${before.limit} to ${wanted}.`, effect]
}

function refused(kind: 'older' | 'removed', key: string, limit: Limit): ExitError {
  return new ExitError(
    kind === 'removed'
      ? `The limit was not set: ${key} is being removed. Try again when it is gone.`
      : `The limit of ${key} stays ${limit}: a controller gives it, with a generation, and its word goes before this one. Change it there.`,
  )
}

import type { Explanation, RunKey, SlotInfo } from '@slotkeeper/core'
import { needRepository, needRun } from '../arguments/option-readers.ts'
import { CHANGING_SPECS, readVerb } from '../arguments/verb-specs.ts'
import { EXIT } from '../exit-codes.ts'
import { ExitError } from '../exit-error.ts'
import { jsonText } from '../json-text.ts'
import type { ChangeReport } from '../operator/change-report.ts'
import { confirm } from '../operator/confirm.ts'
import { auditOf, needReason, readOperator } from '../operator/operator.ts'
import type { Output } from '../output.ts'
import { patiently } from '../patiently.ts'
import { printable } from '../printable.ts'
import { quoted } from '../quoted.ts'
import { type SlotReport, slotReport } from '../reports/slot-report.ts'
import { withStore } from '../store/with-store.ts'
import { sinceText } from '../tables/since-text.ts'
import { RELEASE_HELP } from './release-help.ts'

const SPECS = { ...CHANGING_SPECS, run: { type: 'string' }, lease: { type: 'string' } } as const

/** What `release --json` prints. */
interface ReleaseReport extends ChangeReport {
  readonly run: RunKey
  /** The slot as it was before. */
  readonly slot: SlotReport
  /** The runs that got the place in the same commit. */
  readonly promoted: readonly RunKey[]
}

/**
 * `slotkeeper release`: frees exactly the slot that it has shown.
 * @returns the exit code 0
 * @throws ExitError 66 where there is no slot, 76 where it is another one by now, 77 where nobody said yes; SlotkeeperError
 */
export async function releaseVerb(argv: readonly string[], out: Output, err: Output): Promise<number> {
  const values = readVerb('release', argv, SPECS)
  if (values === 'help') {
    out.write(RELEASE_HELP)
    return 0
  }
  const repository = needRepository(values.repository)
  const run = needRun(values.run)
  const operator = readOperator(values)
  needReason(operator)
  return withStore(values.store, async (manager, store) => {
    const explanation = await patiently(err, `reading ${store}`, manager.explain(repository, run))
    const slot = slotToFree(explanation, values.lease)
    await confirm(plan(slot, new Date()), operator, err)
    const freeing = manager.forceRelease(slot, auditOf(operator))
    const outcome = await patiently(err, `freeing the slot of ${run}`, freeing)
    if (outcome.kind !== 'released') throw changedMeanwhile(slot)
    const { promoted } = outcome
    const report: ReleaseReport = {
      store,
      at: new Date().toISOString(),
      action: 'release',
      repository,
      actor: operator.actor,
      reason: operator.reason ?? null,
      run,
      slot: slotReport(slot),
      promoted,
    }
    const next = promoted.length === 0 ? 'Nobody got its place yet.' : `${promoted.join(', ')} got its place.`
    out.write(
      values.json ? `${jsonText(report, 2)}\n` : `${printable(`The slot of ${run} is freed. ${next}`)}\n`,
    )
    return 0
  })
}

function slotToFree({ slot, run, summary }: Explanation, lease: string | undefined): SlotInfo {
  if (slot === undefined) throw new ExitError(`Nothing was freed: ${summary}`, EXIT.notThere)
  if (lease === undefined || lease === slot.leaseId) return slot
  throw new ExitError(
    `Nothing was freed: ${run} has the lease ${slot.leaseId} now, not ${quoted(lease)}.`,
    EXIT.changedMeanwhile,
  )
}

function plan(slot: SlotInfo, at: Date): readonly string[] {
  const { repository, run, slotNumber, phase, holder, durable, leaseId } = slot
  const number = slotNumber === undefined ? 'a slot' : `slot ${slotNumber}`
  const keeper = holder === undefined ? 'kept by nobody' : `kept by ${holder}`
  const kind = durable ? 'durable: it outlives its holder' : 'not durable: it ends with its holder'
  return [
    `This will free ${number} of ${repository}, which ${run} has since ${sinceText(slot.acquiredAt.toISOString(), at)}:`,
    `${phase}, ${keeper}, ${kind}; lease ${leaseId}.`,
    'The run itself is not ended. If it still works, it works beside the next one until its holder hears of this.',
  ]
}

function changedMeanwhile({ run, leaseId }: SlotInfo): ExitError {
  return new ExitError(
    `Nothing was freed: ${run} has lost the lease ${leaseId} meanwhile. See what it has now: slotkeeper explain`,
    EXIT.changedMeanwhile,
  )
}

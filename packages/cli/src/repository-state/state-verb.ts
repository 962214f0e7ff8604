import type { Manager, RepositoryInfo, RepositoryKey, RepositoryState } from '@slotkeeper/core'
import { needRepository } from '../arguments/option-readers.ts'
import { CHANGING_SPECS, readVerb } from '../arguments/verb-specs.ts'
import { jsonText } from '../json-text.ts'
import type { ChangeReport } from '../operator/change-report.ts'
import { confirm } from '../operator/confirm.ts'
import { findRepository } from '../operator/find-repository.ts'
import { auditOf, needReason, type Operator, readOperator } from '../operator/operator.ts'
import type { Output } from '../output.ts'
import { patiently } from '../patiently.ts'
import { printable } from '../printable.ts'
import { withStore } from '../store/with-store.ts'
import { STATE_HELP } from './state-help.ts'

const STATES = { pause: 'paused', drain: 'draining', resume: 'active' } as const satisfies Record<
  string,
  RepositoryState
>

type StateVerb = keyof typeof STATES

/** What `pause`, `drain` and `resume` print with `--json`. */
interface StateReport extends ChangeReport {
  readonly before: RepositoryState
  readonly state: RepositoryState
}

/**
 * `slotkeeper pause`, `drain` or `resume`: changes whether a repository grants slots.
 * @returns a verb, which answers the exit code 0
 */
export function stateVerb(
  verb: StateVerb,
): (argv: readonly string[], out: Output, err: Output) => Promise<number> {
  return async (argv, out, err) => {
    const values = readVerb(verb, argv, CHANGING_SPECS)
    if (values === 'help') {
      out.write(STATE_HELP[verb])
      return 0
    }
    const repository = needRepository(values.repository)
    const operator = readOperator(values)
    if (verb !== 'resume') needReason(operator)
    return withStore(values.store, async (manager, store) => {
      const before = await patiently(err, `reading ${store}`, findRepository(manager, repository))
      await change(manager, { verb, repository, before, operator, err })
      const state = STATES[verb]
      const report: StateReport = {
        store,
        at: new Date().toISOString(),
        action: verb,
        repository,
        actor: operator.actor,
        reason: operator.reason ?? null,
        before: before.state,
        state,
      }
      out.write(values.json ? `${jsonText(report, 2)}\n` : `${printable(told(report, before))}\n`)
      return 0
    })
  }
}

async function change(
  manager: Manager,
  {
    verb,
    repository,
    before,
    operator,
    err,
  }: {
    readonly verb: StateVerb
    readonly repository: RepositoryKey
    readonly before: RepositoryInfo
    readonly operator: Operator
    readonly err: Output
  },
): Promise<void> {
  const state = STATES[verb]
  if (before.state === state) return
  if (verb !== 'resume') await confirm(plan(verb, before), operator, err)
  const audit = auditOf(operator)
  await patiently(err, `changing ${repository}`, manager.setRepositoryState(repository, state, { audit }))
}

function plan(verb: 'pause' | 'drain', before: RepositoryInfo): readonly string[] {
  const { repository, waiting } = before
  const taken = before.running + before.reserved + before.orphaned
  const queue =
    verb === 'pause'
      ? `Runs may still queue; ${waiting} wait now.`
      : `New runs are refused; ${waiting} wait now and keep their places.`
  return [
    `This will ${verb} ${repository}: nothing new is granted until 'slotkeeper resume'.`,
    `${queue} Nobody is ended: ${taken} ${taken === 1 ? 'slot is' : 'slots are'} taken now.`,
  ]
}

function told({ repository, before, state }: StateReport, { waiting }: RepositoryInfo): string {
  if (before === state) return `${repository} is ${state} already; nothing was changed.`
  const what = state === 'active' ? `is active again; ${waiting} waited` : `is ${state}`
  return `${repository} ${what} (it was ${before}).`
}

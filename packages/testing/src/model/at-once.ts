import {
  type AcquireCommand,
  acquireAtOnce,
  type Driver,
  type HolderId,
  isNotAfter,
  type Policy,
  type ReleaseCommand,
  type RunRow,
  releaseAtOnce,
  type Section,
} from '@slotkeeper/core/driver'
import { batchOf } from '../conformance/desk.ts'
import { Disagreement } from './disagreement.ts'
import { ruleNamed } from './rule-of.ts'
import type { Onlooker } from './seen.ts'

/** A command alone, and who sends it. */
interface Alone {
  readonly domain: string
  readonly by: HolderId | undefined
  readonly command: AcquireCommand | ReleaseCommand
}

/** The batch that the command would have been, decided; `undefined` where a decision is needed, and nothing was changed. */
export function atOnce(
  { inHand }: Driver,
  { domain, by, command }: Alone,
  onlooker: Onlooker,
  policy: Policy,
) {
  // A Manager asks for its own holder.
  if (command.kind === 'acquire' && command.holder !== by) return undefined
  const section = inHand?.section(inHand.domain(domain), by)
  if (section === undefined) return undefined
  const watched = hushed(onlooker.watch(section))
  const granted = command.kind === 'acquire' ? acquired(watched, command) : released(watched, policy, command)
  if (granted === undefined) {
    onlooker.take(domain)
    return undefined
  }
  const batch = batchOf(domain, [command], by)
  batch.decision = { decided: 1, more: false, granted }
  batch.events = []
  return batch
}

/** What is asked for again is nothing for this way; whether it is, callers of it know by themselves. */
function acquired(section: Section, command: AcquireCommand): readonly RunRow[] | undefined {
  const known = section.run(command.repository, command.run)
  for (const ticket of [known?.ticket, known?.grantedTo])
    if (ticket !== undefined && isNotAfter(command.ticket, ticket)) return undefined
  if (command.validUntil !== 0 || command.audit !== undefined) return undefined
  const row = acquireAtOnce(section, command)
  if (row === undefined) return undefined
  const given = { row, sequence: row.sequence, token: row.token, replaced: undefined }
  command.outcome =
    row.phase === 'running'
      ? { kind: 'granted', again: false, ...given }
      : { kind: 'waiting', place: section.place(row), ...given }
  return []
}

function released(section: Section, policy: Policy, command: ReleaseCommand): readonly RunRow[] | undefined {
  const row = section.run(command.repository, command.run)
  if (row === undefined || command.force !== undefined) return undefined
  const next = releaseAtOnce(section, policy, row, command)
  if (next === undefined) return undefined
  const granted = next === row ? [] : [next]
  command.outcome = { kind: 'released', freed: true, promoted: granted.map(({ run }) => run) }
  return granted
}

/** Nothing that is done at once may be news to anybody else: nobody is told of it. */
function hushed(section: Section): Section {
  const emit: Section['emit'] = (kind, row, loser, detail) => {
    const holder = loser ?? ('run' in row ? row.holder : undefined)
    if (kind !== 'enqueued' && holder !== undefined && holder !== section.by)
      throw new Disagreement(
        ruleNamed('7'),
        `What was done at once, ${kind}, is news to ${holder}, and nobody told it.`,
      )
    section.emit(kind, row, loser, detail)
  }
  return new Proxy(section, {
    get: (target, name) => (name === 'emit' ? emit : Reflect.get(target, name, target)),
  })
}

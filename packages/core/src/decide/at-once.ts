import type { AcquireCommand, ReleaseCommand } from '../commands.ts'
import { isAlive, type LimitProposal, limitOf, type RunRow } from '../rows.ts'
import type { Section } from '../section.ts'
import type { Policy } from './policy.ts'
import { hasRoom } from './promote.ts'
import { beginAttempt, end, enqueue, grant } from './transitions.ts'

/**
 * Acquires where there is nothing to decide: the run is new or its last attempt is over, and either a slot is free and nobody waits for
 * it, or all are taken and the caller waits. Does what `decide` would do with this command alone, by the same moves.
 *
 * The section is that of a `StoreInHand`, by the holder that the slot is for: nothing in it is due. The ticket is new, so that no row can
 * know it.
 * @returns the row, `running` or `waiting`; `undefined` = `decide` is needed, and nothing was changed
 */
export function acquireAtOnce(section: Section, command: AcquireCommand): RunRow | undefined {
  const repository = section.repository(command.repository)
  if (repository === undefined || repository.status !== 'present' || repository.state !== 'active')
    return undefined
  const { local, removedUids } = repository
  if (local !== command.proposal && (removedUids.length > 0 || !isSame(local, command.proposal)))
    return undefined
  const room = hasRoom(repository)
  if (room ? repository.waiting > repository.parked || command.mode === 'enqueue' : command.mode !== 'wait')
    return undefined
  const record = section.run(command.repository, command.run)
  if (record !== undefined && (record.phase !== 'record' || command.runUid !== undefined)) return undefined
  if (!isAlive(section.holder(command.holder), section.now)) return undefined
  const was = record === undefined ? undefined : 'record'
  const row = beginAttempt(section, repository, record, command)
  if (room) grant(section, repository, row, was, command.holder)
  else enqueue(section, repository, row, was, command.durable ? undefined : command.holder)
  return row
}

/**
 * Releases where there is nothing to decide: the lease is that of the row, a slot of the holder that asks, and either nobody waits for
 * it, or the next one is a worker of the same holder. Does what `decide` would do with this command alone, by the same moves.
 *
 * The section is that of a `StoreInHand`, the ticket is new. The row may be an old one: one that is not a slot any more says so.
 * @returns the row that got the place, or `row` itself where nobody did; `undefined` = `decide` is needed, and nothing was changed
 */
export function releaseAtOnce(
  section: Section,
  policy: Policy,
  row: RunRow,
  { token, ticket, state }: Pick<ReleaseCommand, 'token' | 'ticket' | 'state'>,
): RunRow | undefined {
  if (row.phase !== 'running' || row.token !== token || row.holder !== section.by) return undefined
  const repository = section.repository(row.repository)
  if (repository === undefined || repository.status !== 'present') return undefined
  let next: RunRow | undefined
  if (repository.waiting > repository.parked && repository.state === 'active') {
    const limit = limitOf(repository)
    if (repository.live < limit || limit === 0) return undefined
    if (repository.live === limit) {
      next = section.head(repository.repository)
      if (next === undefined || next.durable || next.holder !== row.holder) return undefined
      if (!isAlive(section.holder(row.holder as NonNullable<typeof row.holder>), section.now))
        return undefined
    }
  }
  end(section, policy, repository, row, 'released', ticket, state)
  if (next === undefined) return row
  grant(section, repository, next, 'waiting', next.holder)
  row.successor = next.run
  section.saved(row, 'record')
  return next
}

/** A word that is the same as the current one changes nothing. */
function isSame(current: LimitProposal | undefined, { limit, uid, generation }: LimitProposal): boolean {
  return (
    current !== undefined &&
    current.limit === limit &&
    current.uid === uid &&
    current.generation === generation
  )
}

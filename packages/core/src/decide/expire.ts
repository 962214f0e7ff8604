import type { HolderId } from '../keys.ts'
import type { RepositoryRow, RunRow } from '../rows.ts'
import type { Section } from '../section.ts'
import type { Policy } from './policy.ts'
import { drop, end, orphan, park, unpark } from './transitions.ts'

/** Whether a holder is dead. A holder found overdue is marked dead in this commit, so that it never comes back. */
export function isDead(section: Section, holder: HolderId): boolean {
  const row = section.holder(holder)
  if (row === undefined || row.dead) return true
  if (row.expiresAt > section.now) return false
  section.bury(holder)
  return true
}

/** Deals with a row whose time is over, or whose holder is dead. A row that is neither stays as it is. */
export function settle(section: Section, policy: Policy, repository: RepositoryRow, row: RunRow): void {
  if (repository.status === 'removing') return drop(section, repository, row)
  if (row.phase === 'record') return
  const due = row.dueAt !== undefined && row.dueAt <= section.now
  const abandoned = row.holder !== undefined && isDead(section, row.holder)
  if (!due && !abandoned) return
  switch (row.phase) {
    case 'waiting':
      // Never started, so the run may be asked for again: it has no final state.
      if (abandoned) end(section, policy, repository, row, 'expired', undefined, undefined)
      else unpark(section, repository, row)
      return
    case 'reserved':
      return park(section, repository, row)
    case 'orphaned':
      return end(section, policy, repository, row, 'expired', undefined, 'expired')
    case 'running':
      if (!due && row.durable) return orphan(section, repository, row)
      if (!abandoned && row.holder !== undefined) section.bump(row.holder)
      return end(section, policy, repository, row, 'expired', undefined, 'expired')
  }
}

/**
 * Settles the overdue rows of the domain as far as the budget goes, `keep` changes of which are the commands'.
 * @returns whether all that the window showed are settled
 */
export function expire(section: Section, policy: Policy, keep: number): boolean {
  while (section.left > keep) {
    const row = section.overdue()
    if (row === undefined) return true
    const repository = section.repository(row.repository)
    if (repository !== undefined) settle(section, policy, repository, row)
  }
  return !section.overdueLeft
}
